import type { EndpointState } from "../types.ts";

export interface BreakerOptions {
  /** Shares of the window's calls, 0 to 1, from which on it opens. */
  readonly failureRatio: number;
  readonly slowRatio: number;
  /** A call that takes so long is slow. */
  readonly slowMs: number;
  readonly windowMs: number;
  /** Fewer calls in the window never open it. */
  readonly callsMin: number;
  /** How long it stays open before a call is let through to see. */
  readonly openMs: number;
}

export interface Outcome {
  readonly failed: boolean;
  readonly slow: boolean;
}

/** One call at a time is let through; so many good ones in a row close it. */
const PROBES = 2;
const BUCKETS = 10;

/** Calls of the last `windowMs`, in ten buckets that go one by one. */
class SlidingWindow {
  readonly #bucketMs: number;
  /** Calls, failed ones and slow ones of each bucket, and the sums over all. */
  readonly #counts = new Uint32Array(3 * BUCKETS);
  readonly #sums = new Uint32Array(3);
  #bucket = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add({ failed, slow }: Outcome, now: number): void {
    this.#moveTo(Math.floor(now / this.#bucketMs));
    this.#add(0, 1);
    if (failed) this.#add(1, 1);
    if (slow) this.#add(2, 1);
  }

  calls(): number {
    return this.#sums[0] ?? 0;
  }

  failed(): number {
    return this.#sums[1] ?? 0;
  }

  slow(): number {
    return this.#sums[2] ?? 0;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#sums.fill(0);
  }

  #moveTo(bucket: number): void {
    if (bucket === this.#bucket) return;
    const passed = Math.min(BUCKETS, bucket - this.#bucket);
    this.#bucket = bucket;
    for (let i = 0; i < passed; i++) {
      const place = 3 * ((bucket - i) % BUCKETS);
      for (let kind = 0; kind < 3; kind++) {
        this.#sums[kind] = (this.#sums[kind] ?? 0) - (this.#counts[place + kind] ?? 0);
        this.#counts[place + kind] = 0;
      }
    }
  }

  #add(kind: number, by: number): void {
    const place = 3 * (this.#bucket % BUCKETS) + kind;
    this.#counts[place] = (this.#counts[place] ?? 0) + by;
    this.#sums[kind] = (this.#sums[kind] ?? 0) + by;
  }
}

/**
 * A circuit breaker (Nygard, "Release It!"): closed, every call goes through and is counted; open, none does; half-open, one at a
 * time does, and two good ones in a row close it, a bad one opens it again. Times by `performance.now()`.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #window: SlidingWindow;
  #isOpen = false;
  #openUntil = 0;
  #isProbed = false;
  #goodProbes = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#window = new SlidingWindow(options.windowMs);
  }

  state(now: number): EndpointState["breaker"] {
    if (!this.#isOpen) return "closed";
    return now < this.#openUntil ? "open" : "half-open";
  }

  admits(now: number): boolean {
    return !this.#isOpen || (now >= this.#openUntil && !this.#isProbed);
  }

  /** Milliseconds until a call may be let through; 0: now, or as soon as the one on its way has ended. */
  waitMs(now: number): number {
    return this.#isOpen ? Math.max(0, this.#openUntil - now) : 0;
  }

  /** A call that is admitted begins; true: it is a probe. */
  begin(): boolean {
    if (!this.#isOpen) return false;
    this.#isProbed = true;
    return true;
  }

  /** It has ended. `outcome` null: nothing that says something of the endpoint, as its caller left. */
  end(isProbe: boolean, outcome: Outcome | null, now: number): void {
    if (isProbe) this.#endProbe(outcome, now);
    else if (outcome && !this.#isOpen) this.#count(outcome, now);
  }

  /** What was counted is another's: the endpoint has begun anew. */
  reset(): void {
    this.#isOpen = false;
    this.#isProbed = false;
    this.#window.clear();
  }

  #count(outcome: Outcome, now: number): void {
    const { failureRatio, slowRatio, callsMin } = this.#options;
    const window = this.#window;
    window.add(outcome, now);
    if (!(outcome.failed || outcome.slow) || window.calls() < callsMin) return;
    const failing = window.failed() >= failureRatio * window.calls();
    if (failing || window.slow() >= slowRatio * window.calls()) this.#open(now);
  }

  #endProbe(outcome: Outcome | null, now: number): void {
    this.#isProbed = false;
    if (!outcome || !this.#isOpen) return;
    if (outcome.failed || outcome.slow) {
      this.#open(now);
      return;
    }
    this.#goodProbes++;
    if (this.#goodProbes < PROBES) return;
    this.#isOpen = false;
    this.#window.clear();
  }

  #open(now: number): void {
    this.#isOpen = true;
    this.#openUntil = now + this.#options.openMs;
    this.#goodProbes = 0;
  }
}
