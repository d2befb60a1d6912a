import { RaglineError } from "../errors.ts";
import type { CallOptions } from "../types.ts";
import { CallWithin } from "./call-within.ts";

/** Of all calls, the share that may be sent twice (Dean and Barroso, "The Tail at Scale", hedged requests). */
const SHARE_MAX = 0.05;
/** What quiet hours may save up. */
const SAVED_MAX = 10;

/** Hedges are at most a twentieth of the calls. */
export class HedgeBudget {
  #left = 0;

  call(): void {
    this.#left = Math.min(SAVED_MAX, this.#left + SHARE_MAX);
  }

  has(): boolean {
    return this.#left >= 1;
  }

  take(): boolean {
    if (!this.has()) return false;
    this.#left--;
    return true;
  }
}

/** One call that may be made twice: the first good answer counts, and the other is cancelled. */
export class Hedge<T> {
  readonly result: Promise<T>;
  readonly #call: CallOptions;
  readonly #branches = new Set<AbortController>();
  readonly #deferred = Promise.withResolvers<T>();
  readonly #onAbort = () => this.#leave(this.#call.signal.reason);
  #timer: NodeJS.Timeout | undefined;
  #failure: { readonly thrown: unknown } | undefined;

  constructor(call: CallOptions) {
    this.#call = call;
    this.result = this.#deferred.promise;
    call.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Calls `launch` where no answer is there by then. */
  later(ms: number, launch: () => void): void {
    this.#timer = setTimeout(launch, ms);
  }

  add(work: (call: CallOptions) => Promise<T>, onWin?: () => void): void {
    const controller = new AbortController();
    this.#branches.add(controller);
    work(new CallWithin(this.#call, controller.signal)).then(
      (value) => {
        if (!this.#branches.delete(controller)) return;
        onWin?.();
        this.#deferred.resolve(value);
        this.#leave(new RaglineError("cancelled", "Another endpoint was faster."));
      },
      (thrown: unknown) => {
        if (!this.#branches.delete(controller)) return;
        this.#failure ??= { thrown };
        // While another is on its way its answer counts; a failure before that is not waited with.
        if (this.#branches.size > 0) return;
        this.#deferred.reject(this.#failure.thrown);
        this.#leave(thrown);
      },
    );
  }

  #leave(reason: unknown): void {
    clearTimeout(this.#timer);
    this.#call.signal.removeEventListener("abort", this.#onAbort);
    for (const controller of this.#branches) controller.abort(reason);
  }
}
