import { Alarm } from "./alarm.ts";
import { RaglineError } from "./errors.ts";

/** A call that waits until a time, or until its caller leaves. */
interface Waiting {
  readonly until: number;
  readonly expire: () => void;
}

/**
 * Aborts with the caller's signal, or after a time with a `TimeoutError`. What `AbortSignal.any` makes of a caller's and a timeout's
 * never aborts before Node 22.16, once garbage was collected.
 */
export function within(timeoutMs: number, caller: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const end = (reason: unknown) => {
    clearTimeout(timer);
    caller.removeEventListener("abort", leave);
    controller.abort(reason);
  };
  const leave = () => end(caller.reason);
  const expire = () => end(new DOMException(`No answer within ${timeoutMs} ms`, "TimeoutError"));
  const timer = setTimeout(expire, timeoutMs).unref();
  caller.addEventListener("abort", leave);
  if (caller.aborted) leave();
  return controller.signal;
}

/** Deadlines of calls, with one timer for all. */
export class Deadlines {
  readonly #message: string;
  readonly #waiting = new Set<Waiting>();
  /** The alarm need not keep the process alive: the pending work does. */
  readonly #alarm = new Alarm((now) => this.#look(now), { keepsProcess: false });

  /** `message`: what the error says when a deadline passes. */
  constructor(message: string) {
    this.#message = message;
  }

  /**
   * What is pending, unless the deadline or the caller's leaving comes first: then `onLeave` is told.
   * @throws RaglineError `dependency_timeout`; or why the signal aborted
   */
  before<T>(
    pending: Promise<T>,
    signal: AbortSignal,
    until: number,
    onLeave: (reason: Error) => void = () => {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(waiting);
        signal.removeEventListener("abort", abort);
      };
      const fail = (error: unknown) => {
        end();
        reject(error);
      };
      const leave = (error: Error) => {
        fail(error);
        onLeave(error);
      };
      const abort = () => leave(signal.reason);
      const waiting = { until, expire: () => leave(this.#tooLate()) };
      if (signal.aborted) {
        pending.catch(() => undefined);
        abort();
        return;
      }
      this.#waiting.add(waiting);
      this.#alarm.lookAt(until);
      signal.addEventListener("abort", abort);
      pending.then((value) => {
        end();
        resolve(value);
      }, fail);
    });
  }

  /** @throws RaglineError `dependency_timeout`; or why the signal aborted */
  check(signal: AbortSignal, until: number): void {
    signal.throwIfAborted();
    if (performance.now() >= until) throw this.#tooLate();
  }

  #tooLate(): RaglineError {
    return new RaglineError("dependency_timeout", this.#message);
  }

  #look(now: number): void {
    for (const waiting of this.#waiting) {
      if (waiting.until <= now) waiting.expire();
      else this.#alarm.lookAt(waiting.until);
    }
  }
}
