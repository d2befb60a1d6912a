import { RaglineError } from "../errors.ts";

const KEPT = 64;
/** What is older says nothing about now; with nothing known every call is tried. */
const MAX_AGE_MS = 10_000;

interface Sample {
  readonly size: number;
  readonly ms: number;
  readonly at: number;
}

/**
 * Refuses at once what cannot be done in the time left: less than the fastest of the latest calls of that size or a smaller one
 * took. A call without a deadline always passes.
 */
export class TimeLeft {
  readonly #samples: Sample[] = [];

  /** @throws RaglineError `dependency_timeout` */
  check(size: number, leftMs: number): void {
    const fastest = leftMs > 0 ? this.#fastest(size) : 0;
    if (leftMs > fastest) return;
    const left = Math.max(0, Math.round(leftMs));
    throw new RaglineError(
      "dependency_timeout",
      fastest > 0
        ? `${left} ms are left, and the fastest such call of late took ${Math.round(fastest)} ms.`
        : "No time is left.",
    );
  }

  took(size: number, ms: number): void {
    this.#samples.push({ size, ms, at: performance.now() });
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  #fastest(size: number): number {
    const since = performance.now() - MAX_AGE_MS;
    let fastest = Number.POSITIVE_INFINITY;
    for (const one of this.#samples) {
      if (one.size <= size && one.at >= since && one.ms < fastest) fastest = one.ms;
    }
    return Number.isFinite(fastest) ? fastest : 0;
  }
}
