import { Alarm } from "./alarm.ts";
import { RaglineError } from "./errors.ts";
import type { CallOptions, ModelCall, Served, Step } from "./types.ts";

/** Everyone who waits for calls shares one timer and one listener: one of each per call would cost more than many calls do. */
export class Caller {
  readonly signal: AbortSignal;
  readonly #races = new Set<Race>();
  readonly #onAbort = () => {
    for (const race of this.#races) race.leave();
  };
  #isStaying = false;
  #isHeard = false;
  readonly #alarm = new Alarm((now) => this.#look(now), { keepsProcess: true });

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  /** Keeps listening to the caller until `go`, even while nothing is being waited for: more calls will follow. */
  stay(): void {
    this.#isStaying = true;
  }

  go(): void {
    this.#isStaying = false;
    if (this.#races.size === 0) this.#rest();
  }

  add(race: Race): void {
    this.#races.add(race);
    if (this.#isHeard) return;
    this.#isHeard = true;
    this.signal.addEventListener("abort", this.#onAbort);
  }

  remove(race: Race): void {
    this.#races.delete(race);
    if (this.#races.size === 0 && !this.#isStaying) this.#rest();
  }

  /** Looks at all races no later than this time. Postponing a race costs nothing. */
  lookAt(deadline: number): void {
    this.#alarm.lookAt(deadline);
  }

  #look(now: number): void {
    for (const race of this.#races) {
      if (race.isOver || race.isPaused) continue;
      if (race.deadline <= now) race.expire();
      else this.lookAt(race.deadline);
    }
  }

  #rest(): void {
    this.#alarm.rest();
    this.#isHeard = false;
    this.signal.removeEventListener("abort", this.#onAbort);
  }
}

/**
 * A call against the clock and the caller: the first of them wins, and the loser is told through `signal`. It is itself the
 * call's options; the signal is made for those who ask for it.
 */
export class Race implements CallOptions {
  #controller: AbortController | undefined;
  readonly #caller: Caller;
  readonly #step: Step;
  #limitMs = 0;
  #deadline = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #paused = false;
  #reject: ((error: RaglineError) => void) | undefined;
  #lost: RaglineError | undefined;
  readonly #onCall: ((step: Step, call: ModelCall) => void) | undefined;
  readonly asOf: number | undefined;
  #queueMs = 0;
  #serviceMs = 0;

  constructor(
    step: Step,
    caller: Caller,
    limitMs: number,
    onCall?: (step: Step, call: ModelCall) => void,
    asOf?: number,
  ) {
    this.asOf = asOf;
    this.#step = step;
    this.#caller = caller;
    this.#onCall = onCall;
    if (caller.signal.aborted) {
      this.leave();
      return;
    }
    caller.add(this);
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

  get isOver(): boolean {
    return this.#lost !== undefined;
  }

  get isPaused(): boolean {
    return this.#paused;
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

  /** It is the reader's turn: time that the reader takes is not the source's. */
  pause(): void {
    this.#paused = true;
  }

  restart(limitMs: number): void {
    this.#paused = false;
    if (this.#lost) return;
    this.#limitMs = limitMs;
    this.#deadline = Math.min(performance.now() + limitMs, this.#dueAt);
    this.#caller.lookAt(this.#deadline);
  }

  /** The latest time at which the race ends, however often its clock is restarted; infinity: there is none any more. */
  due(at: number): void {
    this.#dueAt = at;
    if (at >= this.#deadline) return;
    this.#deadline = at;
    this.#caller.lookAt(at);
  }

  end(): void {
    this.#caller.remove(this);
    this.#reject = undefined;
  }

  /** Tells the source that nobody reads it any more. */
  cancel(): void {
    this.end();
    this.#controller?.abort();
  }

  /** The caller has left. */
  leave(): void {
    this.#lose(cancelled(this.#caller.signal.reason, this.#step));
  }

  /** Its time is up. */
  expire(): void {
    const message =
      this.#deadline === this.#dueAt
        ? "No text before the request's time was over."
        : `No answer within ${Math.max(0, Math.round(this.#limitMs))} ms.`;
    this.#lose(new RaglineError("dependency_timeout", message, { step: this.#step }));
  }

  #lose(error: RaglineError): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#controller?.abort(error);
    this.#reject?.(error);
  }
}

/** A caller may abort with a reason; most give none. */
function cancelled(reason: unknown, step: Step): RaglineError {
  const message = reason instanceof RaglineError && reason.code === "cancelled" ? reason.message : "The caller left.";
  return new RaglineError("cancelled", message, { step });
}
