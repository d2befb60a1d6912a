import { setImmediate } from "node:timers/promises";

/** Longest stretch of work between two breaths. */
const STRETCH_MS = 5;

/** Call it often: now and then it lets the event loop serve others, so that long work does not stall streams. */
export function createBreather(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < STRETCH_MS) return undefined;
    return setImmediate().then(() => {
      since = performance.now();
    });
  };
}
