import type { Step } from "./types.ts";

/** What the wrappers of a composition count, for whoever asks. */
export class Counts {
  readonly #queues: { readonly step: Step; readonly waiting: () => number }[] = [];
  readonly vectors = { hits: 0, misses: 0 };

  /** The options of something with a queue, which is watched from now on. */
  queued<T extends object>(step: Step, options: T): T & { watchQueue(waiting: () => number): void } {
    return { ...options, watchQueue: (waiting) => void this.#queues.push({ step, waiting }) };
  }

  /** How many calls wait, by step. */
  queues(): { readonly step: Step; readonly waiting: number }[] {
    const depths = new Map<Step, number>();
    for (const { step, waiting } of this.#queues) depths.set(step, (depths.get(step) ?? 0) + waiting());
    return [...depths].map(([step, waiting]) => ({ step, waiting }));
  }

  readonly onLookup = (hits: number, misses: number): void => {
    this.vectors.hits += hits;
    this.vectors.misses += misses;
  };
}
