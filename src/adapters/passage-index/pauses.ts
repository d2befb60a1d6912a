import { setImmediate } from "node:timers/promises";

/** Longest stretch of work between two pauses. */
const STRETCH_MS = 5;

/** Await it often: now and then it lets the event loop serve others. */
export function createPauses(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < STRETCH_MS) return undefined;
    return setImmediate().then(() => {
      since = performance.now();
    });
  };
}
