import { RaglineError } from "../../errors.ts";

/** A slot held. Its times are the emulated server's own, by `performance.now()`: timers that fire late do not add up. */
export interface HeldSlot {
  readonly queueMs: number;
  readonly startedAt: number;
  /** Frees it, as of `at`; only the first call counts. */
  free(at: number): void;
}

interface Waiting {
  readonly arrivedAt: number;
  readonly take: (slot: HeldSlot) => void;
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

  /** @throws RaglineError `overloaded`: the line is full. */
  take(signal: AbortSignal): Promise<HeldSlot> {
    signal.throwIfAborted();
    const arrivedAt = performance.now();
    if (this.#held < this.#count) {
      this.#held++;
      return Promise.resolve(this.#slot(arrivedAt, arrivedAt));
    }
    if (this.#waiting.size >= this.#queueMax) {
      const message = `${this.#count} calls are running and ${this.#queueMax} wait, which is queueMax; try again later.`;
      return Promise.reject(new RaglineError("overloaded", message));
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        arrivedAt,
        take(slot) {
          signal.removeEventListener("abort", leave);
          resolve(slot);
        },
      };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #slot(arrivedAt: number, startedAt: number): HeldSlot {
    let isHeld = true;
    return {
      queueMs: startedAt - arrivedAt,
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
    next.take(this.#slot(next.arrivedAt, Math.max(at, next.arrivedAt)));
  }
}
