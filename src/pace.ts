import { Latency } from "./latency.ts";
import type { Step } from "./types.ts";

/** What must follow a step that the answer can do without; what the step may take is what they leave. */
const FOLLOWING: Partial<Record<Step, readonly Step[]>> = {
  rewrite: ["embed", "search", "rerank", "generate"],
  cache: ["embed", "search", "generate"],
  embed: ["search", "generate"],
  rerank: ["generate"],
};

/**
 * How long steps take: the median of the last minute, over all requests of this process. What is refused for lack of time is not
 * measured, so that after a minute it is tried again.
 */
export class Pace {
  readonly #steps = new Map<Step, Latency>();

  /** `ms` of a step that was cut says something only where it is more than was expected. */
  note(step: Step, ms: number, wasCut: boolean): void {
    const now = performance.now();
    const latency = this.#steps.get(step) ?? new Latency(0.5);
    this.#steps.set(step, latency);
    if (!wasCut || ms > latency.expect(now)) latency.note(ms, now);
  }

  /** Milliseconds; 0: not known. */
  expect(step: Step): number {
    return this.#steps.get(step)?.expect(performance.now()) ?? 0;
  }

  /** Milliseconds that the steps after this one will take. */
  reserve(step: Step): number {
    return (FOLLOWING[step] ?? []).reduce((sum, one) => sum + this.expect(one), 0);
  }
}
