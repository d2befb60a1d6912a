import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Segment } from "./segment.ts";

/** Less is not worth a collection of the whole heap. */
const BYTES_MIN = 32 * 1024 * 1024;
/** So long after the last change: while one writes, V8's own collections come often enough. */
const QUIET_MS = 1000;

/**
 * Gives back the vectors of segments that are gone. Their memory is WebAssembly's, whose size V8 does not count: it goes with the next
 * collection of the whole heap, which in a process that has little to do may never come.
 */
export class Reclaim {
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;

  /** Nobody will search these again, but who is at it. */
  dropped(segments: readonly Segment[]): void {
    for (const segment of segments) this.#bytes += vectorBytes(segment);
    this.#collectLater();
  }

  /** Reading it left garbage behind, and a server that has loaded its index makes little more. */
  restored(segment: Segment): void {
    this.#bytes += vectorBytes(segment);
    this.#collectLater();
  }

  #collectLater(): void {
    if (this.#bytes < BYTES_MIN) return;
    this.#timer ??= setTimeout(() => this.#collect(), QUIET_MS).unref();
    this.#timer.refresh();
  }

  #collect(): void {
    this.#bytes = 0;
    this.#timer = null;
    collectGarbage();
  }
}

function vectorBytes({ arrays: { vectors } }: Segment): number {
  return vectors?.memory?.buffer.byteLength ?? 0;
}

/** This thread's whole heap, as with `node --expose-gc`: stops the server's event loop for some 20 ms. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect();
}
