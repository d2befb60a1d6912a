const KEPT = 128;
/** Fewer say nothing. */
const KNOWN_MIN = 16;
/** What was measured longer ago says nothing of now. */
const AGE_MAX_MS = 60_000;
/** For how many new measurements, and for how long, a quantile is used before it is looked up anew. */
const STALE_AFTER = 16;
const STALE_AFTER_MS = 1000;

/** A quantile of the latest 128 durations of one kind of call, in milliseconds, of the last minute. */
export class Latency {
  readonly #quantile: number;
  readonly #durations = new Float64Array(KEPT);
  readonly #notedAt = new Float64Array(KEPT).fill(Number.NEGATIVE_INFINITY);
  #noted = 0;
  #foundAfter = 0;
  #foundAt = Number.NEGATIVE_INFINITY;
  #found = 0;

  /** `quantile`: 0 to 1. */
  constructor(quantile: number) {
    this.#quantile = quantile;
  }

  /** `now` by `performance.now()`. */
  note(ms: number, now: number): void {
    const place = this.#noted++ % KEPT;
    this.#durations[place] = ms;
    this.#notedAt[place] = now;
  }

  /** Milliseconds; 0 while fewer than 16 durations are known. */
  expect(now: number): number {
    if (this.#noted - this.#foundAfter >= STALE_AFTER || now - this.#foundAt >= STALE_AFTER_MS) this.#find(now);
    return this.#found;
  }

  /** Milliseconds: the longest of the latest `count` durations, 128 at most, however old they are; 0 where there are fewer. */
  longest(count: number): number {
    if (this.#noted < count) return 0;
    let longest = 0;
    for (let i = 1; i <= count; i++) longest = Math.max(longest, this.#durations[(this.#noted - i) % KEPT] ?? 0);
    return longest;
  }

  #find(now: number): void {
    const recent = this.#durations.filter((_, i) => now - (this.#notedAt[i] ?? 0) < AGE_MAX_MS).sort();
    const rank = Math.min(recent.length - 1, Math.floor(recent.length * this.#quantile));
    this.#found = recent.length < KNOWN_MIN ? 0 : (recent[rank] ?? 0);
    this.#foundAfter = this.#noted;
    this.#foundAt = now;
  }
}

const LATEST = 4;

/**
 * What one kind of call usually takes, in milliseconds: the median of the last minute. Where the latest four all took less, whatever
 * made the others slow is over, and it is the longest of the four.
 */
export class Usual {
  readonly #latency = new Latency(0.5);

  /** `now` by `performance.now()`. */
  note(ms: number, now: number): void {
    this.#latency.note(ms, now);
  }

  /** 0: not known. */
  expect(now: number): number {
    return Math.min(this.#latency.expect(now), this.#latency.longest(LATEST));
  }
}
