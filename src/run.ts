import { type RaglineError, toRaglineError } from "./errors.ts";
import { Race } from "./race.ts";
import type { CallOptions, Calls, Degradation, ModelCall, Step, Timings } from "./types.ts";

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
}

/** What stands in for a step that failed. */
export interface Otherwise<T> {
  /** As readers see it in `degraded`. */
  readonly fallback: string;
  readonly value: T;
}

/**
 * One request's way through the steps. Every step runs under its own deadline (the smaller of its limit and what is left of
 * the request's), is cancelled when the caller leaves, and is timed. An adapter that ignores its signal loses the race. Nothing
 * is tried again here: that is `wrap/retried.ts`, within the same deadline.
 */
export class Run {
  readonly startedAt = performance.now();
  readonly timings: Timings = {};
  readonly calls: Calls = {};
  readonly degraded: Degradation[] = [];
  readonly signal: AbortSignal;
  readonly #deadline: number;
  readonly #limitsMs: Partial<Record<Step, number>>;
  readonly #onFailure: (error: RaglineError) => void;
  readonly #onCall = (step: Step, call: ModelCall) => this.#count(step, call);

  constructor(options: RunOptions) {
    this.signal = options.signal;
    this.#deadline = this.startedAt + options.timeoutMs;
    this.#limitsMs = options.limitsMs;
    this.#onFailure = options.onFailure ?? (() => undefined);
  }

  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Runs a step that the answer cannot do without: its failure is the request's. */
  must<T>(step: Step, call: (options: CallOptions) => Promise<T> | T): Promise<T> {
    return this.#timed(step, call, this.signal, this.#deadline);
  }

  /**
   * Runs a step after the answer, like `may`, under its own limit alone: what was said is kept though the caller has left
   * or the run's time is up.
   */
  async afterwards<T>(step: Step, call: (options: CallOptions) => Promise<T> | T, otherwise: Otherwise<T>): Promise<T> {
    try {
      return await this.#timed(step, call, new AbortController().signal, Number.POSITIVE_INFINITY);
    } catch (thrown) {
      return this.#degrade(step, thrown, otherwise);
    }
  }

  /** Runs a step that the answer can do without: its failure is noted in `degraded` and the fallback is used. */
  async may<T>(step: Step, call: (options: CallOptions) => Promise<T> | T, otherwise: Otherwise<T>): Promise<T> {
    try {
      return await this.must(step, call);
    } catch (thrown) {
      if (this.signal.aborted) throw toRaglineError(thrown, step);
      return this.#degrade(step, thrown, otherwise);
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
    const race = new Race(step, this.signal, deadline - startedAt, this.#onCall);
    let source: AsyncIterator<T> | undefined;
    let ended = false;
    try {
      source = open(race)[Symbol.asyncIterator]();
      for (let next = await race.against(source.next()); !next.done; next = await race.against(source.next())) {
        race.pause();
        yield next.value;
        race.restart(limits.silenceMs);
      }
      ended = true;
    } catch (thrown) {
      throw toRaglineError(thrown, step);
    } finally {
      if (ended) race.end();
      else {
        race.cancel();
        // Not awaited: a source that hangs would hang its reader.
        source?.return?.().catch(() => undefined);
      }
      this.#time(step, startedAt);
    }
  }

  /** Notes the failure that ends the request. */
  fail(thrown: unknown): RaglineError {
    const error = toRaglineError(thrown);
    this.#onFailure(error);
    return error;
  }

  #degrade<T>(step: Step, thrown: unknown, otherwise: Otherwise<T>): T {
    const error = toRaglineError(thrown, step);
    this.#onFailure(error);
    const { fallback, value } = otherwise;
    const known = this.degraded.some((one) => one.step === step && one.fallback === fallback);
    if (!known) this.degraded.push({ step, reason: error.code, fallback });
    return value;
  }

  async #timed<T>(
    step: Step,
    call: (options: CallOptions) => Promise<T> | T,
    signal: AbortSignal,
    runDeadline: number,
  ): Promise<T> {
    const startedAt = performance.now();
    const deadline = Math.min(startedAt + (this.#limitsMs[step] ?? Number.POSITIVE_INFINITY), runDeadline);
    const race = new Race(step, signal, deadline - startedAt, this.#onCall);
    try {
      const pending = call(race);
      return pending instanceof Promise ? await race.against(pending) : pending;
    } catch (thrown) {
      throw toRaglineError(thrown, step);
    } finally {
      race.end();
      this.#time(step, startedAt);
    }
  }

  #time(step: Step, startedAt: number): void {
    this.timings[step] = rounded((this.timings[step] ?? 0) + performance.now() - startedAt);
  }

  #count(step: Step, { inputTokens, outputTokens, ms }: ModelCall): void {
    const before = this.calls[step] ?? { calls: 0, inputTokens: 0, outputTokens: 0, ms: 0 };
    this.calls[step] = {
      calls: before.calls + 1,
      inputTokens: before.inputTokens + inputTokens,
      outputTokens: before.outputTokens + outputTokens,
      ms: rounded(before.ms + ms),
    };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
