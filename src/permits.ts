import { RaglineError } from "./errors.ts";
import { Usual } from "./latency.ts";
import type { CallOptions } from "./types.ts";

export interface PermitOptions {
  /** Calls at once. */
  readonly concurrencyMax: number;
  /** Calls that may wait for a permit; a further one is refused at once. */
  readonly queueMax: number;
  /** The configuration's key of `queueMax`, which a refusal names. */
  readonly setting?: string;
  /** Called once, with a function that tells how many calls wait. */
  readonly watchQueue?: ((waiting: () => number) => void) | undefined;
}

/** A call's turn. Times by `performance.now()`. */
export interface Permit {
  readonly startedAt: number;
  /** Gives the permit back; only the first call counts. `at`: when the turn ended; default: now. */
  free(at?: number): void;
}

type Taker = Pick<CallOptions, "signal" | "deadline" | "onServed">;

interface Waiting {
  start(at: number): void;
}

/** Share of a call's time that it may spend waiting; the rest is for the work itself. */
const WAIT_SHARE_MAX = 0.75;
const RETRY_AFTER_MS = { min: 1000, max: 60_000 };

/** When to try again, given how long the queue takes: bounded both ways, as the estimate may be poor. */
export function retryAfterLine(ms: number): number {
  return Math.min(RETRY_AFTER_MS.max, Math.max(RETRY_AFTER_MS.min, ms));
}

/**
 * Permits for a bounded number of calls at once. Who waits has a bounded queue, and one that is no longer than its time allows by what
 * calls usually take; who leaves it takes none.
 */
export class Permits {
  readonly #options: PermitOptions;
  readonly #usual = new Usual();
  #running = 0;
  /** Readers' calls come before background work. */
  readonly #queues: readonly [Set<Waiting>, Set<Waiting>] = [new Set(), new Set()];

  constructor(options: PermitOptions) {
    this.#options = options;
    options.watchQueue?.(() => this.waiting);
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queues[0].size + this.#queues[1].size;
  }

  /**
   * Resolves when it is the call's turn, and tells the call how long it waited, also where it leaves the queue.
   * @throws RaglineError `overloaded`, at once: the queue is full, or its turn would come too late for its deadline; or the signal's reason.
   */
  take(call: Taker, isBackground = false): Promise<Permit> {
    call.signal.throwIfAborted();
    if (this.#running < this.#options.concurrencyMax) {
      this.#running++;
      return Promise.resolve(this.#permit(performance.now()));
    }
    const refusal = this.#refusal(call, isBackground);
    return refusal ? Promise.reject(refusal) : this.#wait(call, this.#queues[isBackground ? 1 : 0]);
  }

  #refusal({ deadline = Number.POSITIVE_INFINITY }: Taker, isBackground: boolean): RaglineError | null {
    const { concurrencyMax, queueMax, setting } = this.#options;
    const now = performance.now();
    const turnMs = this.#usual.expect(now) / concurrencyMax;
    const refused = (reason: string) => {
      const retryAfterMs = retryAfterLine(this.waiting * turnMs);
      return new RaglineError("overloaded", `${reason}; try again later.`, { retryAfterMs });
    };
    if (this.waiting >= queueMax) {
      const limit = setting === undefined ? "" : `, which is ${setting}`;
      return refused(`${concurrencyMax} calls are under way and ${queueMax} wait${limit}`);
    }
    const ahead = isBackground ? this.waiting : this.#queues[0].size;
    const waitMs = ahead * turnMs;
    if (waitMs <= (deadline - now) * WAIT_SHARE_MAX) return null;
    const left = `${Math.max(0, Math.floor(deadline - now))} ms are left for it`;
    return refused(`${ahead} calls wait before this one, which takes about ${Math.ceil(waitMs)} ms, and ${left}`);
  }

  #wait(call: Taker, queue: Set<Waiting>): Promise<Permit> {
    const { signal } = call;
    const since = performance.now();
    const over = (at: number) => call.onServed?.({ queueMs: at - since, serviceMs: 0 });
    return new Promise((resolve, reject) => {
      const waiting = {
        start: (at: number) => {
          const startedAt = Math.max(at, since);
          signal.removeEventListener("abort", leave);
          over(startedAt);
          resolve(this.#permit(startedAt));
        },
      };
      const leave = () => {
        queue.delete(waiting);
        over(performance.now());
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      queue.add(waiting);
    });
  }

  #permit(startedAt: number): Permit {
    let isHeld = true;
    return {
      startedAt,
      free: (at = performance.now()) => {
        if (!isHeld) return;
        isHeld = false;
        this.#usual.note(at - startedAt, performance.now());
        this.#next(at);
      },
    };
  }

  /** Hands the permit on. */
  #next(at: number): void {
    for (const queue of this.#queues) {
      for (const waiting of queue) {
        queue.delete(waiting);
        waiting.start(at);
        return;
      }
    }
    this.#running--;
  }
}
