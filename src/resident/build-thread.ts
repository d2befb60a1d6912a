import { constants, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { memoizedStem } from "../text/tokens.ts";
import type { BuildReply, BuildRequest } from "./builder.ts";
import { type MergeSource, mergeArrays } from "./merge.ts";
import { collectGarbage } from "./reclaim.ts";
import { inSlices } from "./slices.ts";
import { findTerms } from "./terms.ts";

/** Finds the terms of passages, and merges segments over memory that other threads see. */
const port = parentPort;
if (!port) throw new Error("build-thread.ts runs as a worker");
const stem = memoizedStem();

/** Memory of segments that were merged here is given back by a collection of this thread's heap, which is too quiet to have many. */
const HELD_BYTES_MAX = 32 * 1024 * 1024;
/** How long a merge goes on before the terms of the next document are found. */
const SLICE_MS = 1;
let heldBytes = 0;
giveWay();

port.on("message", (request: BuildRequest) => {
  answer(request).catch((error: unknown) => {
    throw error;
  });
});

async function answer(request: BuildRequest): Promise<void> {
  if ("passages" in request) {
    reply({ id: request.id, built: { found: findTerms(request.passages, stem) } });
    return;
  }
  const { id, sources, dimensions } = request;
  reply({ id, built: { arrays: await inSlices(mergeArrays(sources, dimensions), SLICE_MS) } });
  heldBytes += bytesOf(sources);
  if (heldBytes < HELD_BYTES_MAX) return;
  heldBytes = 0;
  setImmediate(collectGarbage);
}

/** To the threads that answer. Elsewhere than on Linux 0 means the whole process, and on it a thread can be refused its own. */
function giveWay(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(0, constants.priority.PRIORITY_LOW);
  } catch {
    // It builds at the server's priority then.
  }
}

function reply(message: BuildReply): void {
  port?.postMessage(message);
}

function bytesOf(sources: readonly MergeSource[]): number {
  return sources.reduce((sum, { arrays }) => sum + (arrays.vectors?.memory?.buffer.byteLength ?? 0), 0);
}
