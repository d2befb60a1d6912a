import { setTimeout as sleep } from "node:timers/promises";
import { RaglineError, toRaglineError } from "./errors.ts";
import type { CallOptions, Degradation, Step, Timings } from "./types.ts";

export interface RunOptions {
  /** The caller's: aborts when the caller leaves. */
  readonly signal: AbortSignal;
  /** Limit for the whole run up to its first token. */
  readonly timeoutMs: number;
  /** Limits by step; a step without one has the run's. */
  readonly limitsMs: Partial<Record<Step, number>>;
  /** Told of every failure that costs the request something, with its cause. */
  readonly onFailure?: (error: RaglineError) => void;
}

export interface StreamLimits {
  readonly firstItemMs: number;
  readonly silenceMs: number;
  /** Further tries, before the first item only. */
  readonly retries: number;
}

/**
 * One request's way through the steps. Every step runs under its own deadline (the smaller of its limit and what is left of
 * the request's), is cancelled when the caller leaves, and is timed. An adapter that ignores its signal loses the race.
 */
export class Run {
  readonly startedAt = performance.now();
  readonly timings: Timings = {};
  readonly degraded: Degradation[] = [];
  readonly signal: AbortSignal;
  readonly #deadline: number;
  readonly #limitsMs: Partial<Record<Step, number>>;
  readonly #onFailure: (error: RaglineError) => void;

  constructor(options: RunOptions) {
    this.signal = options.signal;
    this.#deadline = this.startedAt + options.timeoutMs;
    this.#limitsMs = options.limitsMs;
    this.#onFailure = options.onFailure ?? (() => undefined);
  }

  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Runs a step that the answer cannot do without: its failure, after `retries` more tries in the time left, is the request's. */
  async must<T>(step: Step, call: (options: CallOptions) => Promise<T> | T, retries = 0): Promise<T> {
    const startedAt = performance.now();
    const deadline = Math.min(startedAt + (this.#limitsMs[step] ?? Number.POSITIVE_INFINITY), this.#deadline);
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await this.#attempt(step, call, deadline);
        } catch (thrown) {
          await this.#beforeRetry(toRaglineError(thrown, step), attempt, retries, deadline);
        }
      }
    } finally {
      this.#time(step, startedAt);
    }
  }

  /** Runs a step that the answer can do without: its failure is noted in `degraded` and `fallback` is used. */
  async may<T>(
    step: Step,
    call: (options: CallOptions) => Promise<T> | T,
    fallback: { readonly instead: string; readonly value: T },
  ): Promise<T> {
    try {
      return await this.must(step, call);
    } catch (thrown) {
      const error = toRaglineError(thrown, step);
      if (this.signal.aborted) throw error;
      this.#onFailure(error);
      this.degraded.push({ step, reason: error.code, instead: fallback.instead });
      return fallback.value;
    }
  }

  /**
   * Streams a step. The limits bound the wait for the first item and the silence between two, never the whole length. A
   * reader who stops early, a limit that passes and a caller who leaves all abort the signal and close the source.
   */
  async *stream<T>(
    step: Step,
    open: (options: CallOptions) => AsyncIterable<T>,
    limits: StreamLimits,
  ): AsyncGenerator<T, void, undefined> {
    const startedAt = performance.now();
    const deadline = Math.min(startedAt + limits.firstItemMs, this.#deadline);
    try {
      for (let attempt = 0; ; attempt++) {
        let begun = false;
        try {
          for await (const item of this.#items(step, open, deadline, limits.silenceMs)) {
            begun = true;
            yield item;
          }
          return;
        } catch (thrown) {
          const error = toRaglineError(thrown, step);
          if (begun) throw error;
          await this.#beforeRetry(error, attempt, limits.retries, deadline);
        }
      }
    } finally {
      this.#time(step, startedAt);
    }
  }

  /** Notes the failure that ends the request. */
  fail(thrown: unknown): RaglineError {
    const error = toRaglineError(thrown);
    this.#onFailure(error);
    return error;
  }

  #time(step: Step, startedAt: number): void {
    this.timings[step] = Math.round((performance.now() - startedAt) * 1000) / 1000;
  }

  async #attempt<T>(step: Step, call: (options: CallOptions) => Promise<T> | T, deadline: number): Promise<T> {
    const race = new Race(step, this.signal, deadline - performance.now());
    try {
      const pending = call({ signal: race.signal });
      return pending instanceof Promise ? await race.against(pending) : pending;
    } finally {
      race.end();
    }
  }

  async *#items<T>(
    step: Step,
    open: (options: CallOptions) => AsyncIterable<T>,
    deadline: number,
    silenceMs: number,
  ): AsyncGenerator<T, void, undefined> {
    const race = new Race(step, this.signal, deadline - performance.now());
    const source = open({ signal: race.signal })[Symbol.asyncIterator]();
    let ended = false;
    try {
      for (;;) {
        const next = await race.against(source.next());
        if (next.done) {
          ended = true;
          return;
        }
        race.pause();
        yield next.value;
        race.restart(silenceMs);
      }
    } finally {
      if (ended) race.end();
      else {
        race.cancel();
        // Not awaited: a source that hangs would hang its reader.
        source.return?.().catch(() => undefined);
      }
    }
  }

  async #beforeRetry(error: RaglineError, attempt: number, retries: number, deadline: number): Promise<void> {
    const waitMs = 20 * 2 ** attempt * (0.5 + Math.random());
    if (!error.retryable || this.signal.aborted || attempt >= retries || performance.now() + waitMs >= deadline) {
      throw error;
    }
    await sleep(waitMs);
  }
}

/** A call against the clock and the caller: the first of them wins, and the loser is told through `signal`. */
class Race {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  readonly #step: Step;
  readonly #onAbort = () => this.#lose(new RaglineError("cancelled", "The caller left.", { step: this.#step }));
  #timer: NodeJS.Timeout | undefined;
  #timerMs = 0;
  #paused = false;
  #reject: ((error: RaglineError) => void) | undefined;
  #lost: RaglineError | undefined;

  constructor(step: Step, parent: AbortSignal, limitMs: number) {
    this.#step = step;
    this.#parent = parent;
    if (parent.aborted) {
      this.#onAbort();
      return;
    }
    parent.addEventListener("abort", this.#onAbort, { once: true });
    this.restart(limitMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
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
    this.#controller.abort();
  }

  #expire(): void {
    if (this.#paused) return;
    const waited = `${Math.max(0, Math.round(this.#timerMs))} ms`;
    this.#lose(new RaglineError("dependency_timeout", `No answer within ${waited}.`, { step: this.#step }));
  }

  #lose(error: RaglineError): void {
    this.#lost = error;
    this.#controller.abort(error);
    this.#reject?.(error);
  }
}
