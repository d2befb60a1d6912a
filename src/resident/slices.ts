import { setImmediate as yieldToOthers } from "node:timers/promises";

/** How long work in the background goes on before others get the event loop. */
const SLICE_MS = 0.25;

/** Carries out work that comes in steps, a quarter of a millisecond at a time; others get the event loop first. */
export async function inSlices<T>(steps: Iterator<void, T>, sliceMs = SLICE_MS): Promise<T> {
  for (;;) {
    await yieldToOthers();
    const until = performance.now() + sliceMs;
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (performance.now() < until);
  }
}

/** The same without a pause. */
export function atOnce<T>(steps: Iterator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
