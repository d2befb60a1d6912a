import { RaglineError } from "./errors.ts";
import type { CallOptions } from "./types.ts";

export interface PermitOptions {
  /** Calls at once. */
  readonly concurrencyMax: number;
  /** Calls that may wait for a permit; a further one is refused at once. */
  readonly queueMax: number;
  /** The configuration's key of `queueMax`, which a refusal names. */
  readonly setting?: string;
  /** Given a look at how many wait. */
  readonly watchQueue?: ((waiting: () => number) => void) | undefined;
}

interface Waiting {
  start(): void;
}

/** Permits for a bounded number of calls at once. Who waits has a bounded queue; who leaves it takes none. */
export class Permits {
  readonly #options: PermitOptions;
  #running = 0;
  /** Readers wait before background work. */
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

  /** Resolves with what gives the permit back, and tells the call how long it waited. @throws RaglineError `overloaded`: the queue is full; or the signal's reason. */
  take(call: Pick<CallOptions, "signal" | "onServed">, isBackground = false): Promise<() => void> {
    const { signal } = call;
    signal.throwIfAborted();
    const { concurrencyMax, queueMax, setting } = this.#options;
    if (this.#running < concurrencyMax) {
      this.#running++;
      return Promise.resolve(() => this.#next());
    }
    if (this.waiting >= queueMax) {
      const limit = setting === undefined ? "" : `, which is ${setting}`;
      const message = `${concurrencyMax} calls are under way and ${queueMax} wait${limit}; try again later.`;
      return Promise.reject(new RaglineError("overloaded", message));
    }
    return this.#wait(call, this.#queues[isBackground ? 1 : 0]);
  }

  #wait(call: Pick<CallOptions, "signal" | "onServed">, queue: Set<Waiting>): Promise<() => void> {
    const { signal } = call;
    const since = performance.now();
    const over = () => call.onServed?.({ queueMs: performance.now() - since, serviceMs: 0 });
    return new Promise((resolve, reject) => {
      const waiting = {
        start: () => {
          signal.removeEventListener("abort", leave);
          over();
          resolve(() => this.#next());
        },
      };
      const leave = () => {
        queue.delete(waiting);
        over();
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      queue.add(waiting);
    });
  }

  /** Hands the permit on. */
  #next(): void {
    for (const queue of this.#queues) {
      for (const waiting of queue) {
        queue.delete(waiting);
        waiting.start();
        return;
      }
    }
    this.#running--;
  }
}
