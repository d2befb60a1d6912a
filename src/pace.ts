import { Usual } from "./latency.ts";
import type { Step } from "./types.ts";

/** The steps that must still follow an optional step: it may only use the time that they do not need. */
const FOLLOWING: Partial<Record<Step, readonly Step[]>> = {
  rewrite: ["embed", "search", "rerank", "generate"],
  cache: ["embed", "search", "generate"],
  embed: ["search", "generate"],
  rerank: ["generate"],
};

const SHARE_MIN = 0.1;
const PROBE_EVERY_MS = 1000;

/** What is known about a step's duration, and when a call was last let through to check it. */
class Known {
  readonly usual = new Usual();
  probedAt = performance.now();
  probeEndsAt = 0;
}

/**
 * How long steps take, over all requests of this process: their service, not their wait in a line, which may be gone by the next
 * request. What is refused for lack of time is not measured; so once a second one is let through to see, one at a time, as a half-open breaker does.
 */
export class Pace {
  readonly #steps = new Map<Step, Known>();

  /** Of a step that was cut short, `ms` counts only if it is longer than expected. */
  note(step: Step, ms: number, wasCut: boolean): void {
    const now = performance.now();
    const known = this.#steps.get(step) ?? new Known();
    this.#steps.set(step, known);
    known.probeEndsAt = 0;
    if (!wasCut || ms > known.usual.expect(now)) known.usual.note(ms, now);
  }

  /** Milliseconds; 0: not known. */
  expect(step: Step): number {
    return this.#steps.get(step)?.usual.expect(performance.now()) ?? 0;
  }

  /** Whether a step should begin, with this much time left. */
  admits(step: Step, leftMs: number): boolean {
    const known = this.#steps.get(step);
    const now = performance.now();
    if (leftMs >= (known?.usual.expect(now) ?? 0)) return true;
    if (!known || leftMs <= 0 || now < Math.max(known.probedAt + PROBE_EVERY_MS, known.probeEndsAt)) return false;
    known.probedAt = now;
    known.probeEndsAt = now + leftMs;
    return true;
  }

  /**
   * Milliseconds that are kept for the steps after this one: what they usually take, for the first text twice that, as an answer
   * depends on it; at least a tenth of the request's time.
   */
  reserve(step: Step, timeoutMs: number): number {
    const following = FOLLOWING[step];
    if (!following) return 0;
    const usual = following.reduce((sum, one) => sum + this.expect(one), this.expect("generate"));
    return Math.max(usual, timeoutMs * SHARE_MIN);
  }
}
