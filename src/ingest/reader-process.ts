import { Worker } from "node:worker_threads";
import { refusalOf } from "./document.ts";
import { type ReadRequest, readHere } from "./read.ts";
import type { ReadReply, RowRequest } from "./reader.ts";
import { readRow } from "./row.ts";

/**
 * The process that parses what may be hostile, one document at a time. Its deadline is the parent's to keep; a thread of its own,
 * which no endless loop holds up, ends it when it takes too much memory or its parent is gone.
 */
const memoryBytesMax = Number(process.argv[2]);
const WATCHDOG = `
  const { workerData } = require("node:worker_threads");
  const parent = process.ppid;
  setInterval(() => {
    if (process.memoryUsage.rss() > workerData || process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, 50);
`;
new Worker(WATCHDOG, { eval: true, workerData: memoryBytesMax }).unref();

process.on("disconnect", () => process.exit());
process.on("message", (request: ReadRequest | RowRequest) => {
  void reply(request);
});

async function reply(request: ReadRequest | RowRequest): Promise<void> {
  let answer: ReadReply;
  try {
    answer = "row" in request ? readRow(request.row) : { document: await readHere(request) };
  } catch (thrown) {
    answer = refusalOf(thrown);
  }
  process.send?.(answer);
}
