import { RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";

/** A slot held. Its times are the emulated server's own, by `performance.now()`: timers that fire late do not add up. */
export interface HeldSlot {
  readonly startedAt: number;
  /** Frees it, as of `at`; only the first call counts. */
  free(at: number): void;
}

interface Waiting {
  readonly arrivedAt: number;
  take(startedAt: number): void;
}

/** First come, first served: `count` calls at once, at most `queueMax` in line. */
export class Slots {
  readonly #queueMax: number;
  readonly #waiting = new Set<Waiting>();
  readonly #count: number;
  #held = 0;

  constructor(count: number, queueMax: number) {
    this.#count = count;
    this.#queueMax = queueMax;
  }

  /** How many are held now. */
  get held(): number {
    return this.#held;
  }

  /** Tells the call how long it waited, also where it leaves the line. @throws RaglineError `overloaded`: the line is full; or the signal's reason. */
  take(call: Pick<CallOptions, "signal" | "onServed">): Promise<HeldSlot> {
    const { signal } = call;
    signal.throwIfAborted();
    const arrivedAt = performance.now();
    if (this.#held < this.#count) {
      this.#held++;
      return Promise.resolve(this.#slot(arrivedAt));
    }
    if (this.#waiting.size >= this.#queueMax) {
      const message = `${this.#count} calls are running and ${this.#queueMax} wait, which is queueMax; try again later.`;
      return Promise.reject(new RaglineError("overloaded", message));
    }
    const waited = (until: number) => call.onServed?.({ queueMs: until - arrivedAt, serviceMs: 0 });
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        waited(performance.now());
        reject(signal.reason);
      };
      const waiting: Waiting = {
        arrivedAt,
        take: (startedAt) => {
          signal.removeEventListener("abort", leave);
          waited(startedAt);
          resolve(this.#slot(startedAt));
        },
      };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #slot(startedAt: number): HeldSlot {
    let isHeld = true;
    return {
      startedAt,
      free: (at) => {
        if (isHeld) this.#free(at);
        isHeld = false;
      },
    };
  }

  #free(at: number): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#held--;
      return;
    }
    this.#waiting.delete(next);
    next.take(Math.max(at, next.arrivedAt));
  }
}
