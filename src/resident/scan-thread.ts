import { parentPort, workerData } from "node:worker_threads";
import { Scanner, type SegmentArrays } from "./scan.ts";
import type { ScanReply, ScanRequest } from "./scan-pool.ts";

/** Carries out plans for another thread, over memory that both see. */
const port = parentPort;
if (!port) throw new Error("scan-thread.ts runs as a worker");
const scanner = new Scanner((workerData as { thread: number }).thread);
const segments = new Map<number, SegmentArrays>();

port.on("message", ({ id, plan, parts, added, forgotten }: ScanRequest) => {
  for (const segment of forgotten) segments.delete(segment);
  for (const { segment, arrays } of added) segments.set(segment, arrays);
  const whole = parts.map(({ segment, allowed, places }) => {
    const arrays = segments.get(segment);
    if (!arrays) throw new Error(`segment ${segment} is not here`);
    return { arrays, allowed, places };
  });
  port.postMessage({ id, result: scanner.scan({ ...plan, parts: whole }) } satisfies ScanReply);
});
