import { RaglineError } from "./errors.ts";

/** Whoever waits for something, until a time and for as long as its caller does. */
interface Waiting {
  readonly until: number;
  readonly expire: () => void;
}

/** A longer one would be taken for none. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Deadlines of calls, with one timer for all: of one for each, most would be stopped long before they are due. */
export class Deadlines {
  readonly #message: string;
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /** `message`: of the error where one passes. */
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
      this.#lookAt(until);
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

  /** It fires early rather than late, and not for every call that ends before. */
  #lookAt(until: number): void {
    if (until >= this.#firesAt) return;
    this.#firesAt = until;
    clearTimeout(this.#timer);
    const ms = Math.max(0, Math.min(until - performance.now(), TIMER_MS_MAX));
    // What is waited for keeps the process alive by itself.
    this.#timer = setTimeout(() => this.#look(), ms).unref();
  }

  #look(): void {
    this.#firesAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (const waiting of this.#waiting) {
      if (waiting.until <= now) waiting.expire();
      else this.#lookAt(waiting.until);
    }
  }
}
