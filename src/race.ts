import { RaglineError } from "./errors.ts";
import type { CallOptions, ModelCall, Served, Step } from "./types.ts";

/**
 * A call against the clock and the caller: the first of them wins, and the loser is told through `signal`. It is itself the
 * call's options; the signal is made for those who ask for it.
 */
export class Race implements CallOptions {
  #controller: AbortController | undefined;
  readonly #parent: AbortSignal;
  readonly #step: Step;
  readonly #onAbort = () => this.#lose(cancelled(this.#parent.reason, this.#step));
  #timer: NodeJS.Timeout | undefined;
  #timerMs = 0;
  #deadline = 0;
  #paused = false;
  #reject: ((error: RaglineError) => void) | undefined;
  #lost: RaglineError | undefined;
  readonly #onCall: ((step: Step, call: ModelCall) => void) | undefined;
  readonly asOf: number | undefined;
  #queueMs = 0;
  #serviceMs = 0;

  constructor(
    step: Step,
    parent: AbortSignal,
    limitMs: number,
    onCall?: (step: Step, call: ModelCall) => void,
    asOf?: number,
  ) {
    this.asOf = asOf;
    this.#step = step;
    this.#parent = parent;
    this.#onCall = onCall;
    if (parent.aborted) {
      this.#onAbort();
      return;
    }
    parent.addEventListener("abort", this.#onAbort, { once: true });
    this.restart(limitMs);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#lost) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  /** @throws RaglineError where it is lost already */
  check(): void {
    if (this.#lost) throw this.#lost;
  }

  get deadline(): number {
    return this.#deadline;
  }

  onModelCall(call: ModelCall): void {
    this.#onCall?.(this.#step, call);
  }

  onServed({ queueMs, serviceMs }: Served): void {
    this.#queueMs += queueMs;
    this.#serviceMs += serviceMs;
  }

  get served(): Served {
    return { queueMs: this.#queueMs, serviceMs: this.#serviceMs };
  }

  against<T>(pending: Promise<T>): Promise<T> {
    if (this.#lost) {
      pending.catch(() => undefined);
      return Promise.reject(this.#lost);
    }
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      pending.then(resolve, reject);
    });
  }

  /** The reader has the word: its slowness is not the source's. */
  pause(): void {
    this.#paused = true;
  }

  restart(limitMs: number): void {
    this.#paused = false;
    if (this.#lost) return;
    this.#deadline = performance.now() + limitMs;
    if (this.#timer && this.#timerMs === limitMs) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timerMs = limitMs;
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, Math.min(limitMs, 2 ** 31 - 1)));
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener("abort", this.#onAbort);
    this.#reject = undefined;
  }

  /** Tells the source that nobody reads it any more. */
  cancel(): void {
    this.end();
    this.#controller?.abort();
  }

  #expire(): void {
    if (this.#paused) return;
    const waited = `${Math.max(0, Math.round(this.#timerMs))} ms`;
    this.#lose(new RaglineError("dependency_timeout", `No answer within ${waited}.`, { step: this.#step }));
  }

  #lose(error: RaglineError): void {
    this.#lost = error;
    this.#controller?.abort(error);
    this.#reject?.(error);
  }
}

/** Who aborts may say why; most callers just leave. */
function cancelled(reason: unknown, step: Step): RaglineError {
  const message = reason instanceof RaglineError && reason.code === "cancelled" ? reason.message : "The caller left.";
  return new RaglineError("cancelled", message, { step });
}
