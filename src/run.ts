import { type RaglineError, toRaglineError } from "./errors.ts";
import { Race } from "./race.ts";
import type {
  AnswerEvent,
  CallOptions,
  Calls,
  Degradation,
  ModelCall,
  Served,
  Step,
  StepSpan,
  Timings,
} from "./types.ts";

/** Makes what a step calls part of a trace. */
export interface StepTracer {
  begin(step: Step): StepTrace;
}

export interface StepTrace {
  /** What `call` begins belongs to the step. */
  within<T>(call: () => T): T;
  end(span: StepSpan, error: RaglineError | undefined): void;
}

/** Told of a run as it goes; never once a token. */
export interface RunObserver {
  onStep(span: StepSpan): void;
  onModelCall(step: Step, call: ModelCall): void;
  onDegraded(degradation: Degradation): void;
  /** Told of an answer's last event before its reader sees it. */
  onEnd?(event: AnswerEvent): void;
}

export interface RunOptions {
  /** The caller's: aborts when the caller leaves. */
  readonly signal: AbortSignal;
  /** Limit for the whole run up to its first token. */
  readonly timeoutMs: number;
  /** Limits by step; a step without one has the run's. */
  readonly limitsMs: Partial<Record<Step, number>>;
  /** Told of every failure that costs the request something, with its cause. */
  readonly onFailure?: (error: RaglineError) => void;
  readonly observer?: RunObserver | undefined;
  readonly tracer?: StepTracer | undefined;
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
  readonly spans: StepSpan[] = [];
  readonly degraded: Degradation[] = [];
  readonly signal: AbortSignal;
  readonly #deadline: number;
  readonly #limitsMs: Partial<Record<Step, number>>;
  readonly #onFailure: (error: RaglineError) => void;
  readonly #calls: { readonly step: Step; readonly call: ModelCall }[] = [];
  readonly #observer: RunObserver | undefined;
  readonly #tracer: StepTracer | undefined;
  /** Calls that began ahead of their step. */
  readonly #early = new Map<Step, { readonly race: Race; readonly trace: StepTrace }>();
  #running = 0;
  #idleSince = this.startedAt;
  #lastSpan: (StepSpan & { readonly step: Step; ms: number }) | undefined;
  #isOver = false;
  #isStreaming = false;
  readonly #onCall = (step: Step, call: ModelCall): void => {
    this.#calls.push({ step, call });
    this.#observer?.onModelCall(step, call);
  };

  constructor(options: RunOptions) {
    this.signal = options.signal;
    this.#deadline = this.startedAt + options.timeoutMs;
    this.#limitsMs = options.limitsMs;
    this.#onFailure = options.onFailure ?? (() => undefined);
    this.#observer = options.observer;
    this.#tracer = options.tracer;
  }

  /** By step. Tokens that no model reported are counted now. */
  get calls(): Calls {
    const calls: Calls = {};
    for (const { step, call } of this.#calls) {
      const before = calls[step] ?? { calls: 0, inputTokens: 0, outputTokens: 0, ms: 0 };
      calls[step] = {
        calls: before.calls + 1,
        inputTokens: before.inputTokens + call.inputTokens,
        outputTokens: before.outputTokens + call.outputTokens,
        ms: rounded(before.ms + call.ms),
      };
    }
    return calls;
  }

  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Runs a step that the answer cannot do without: its failure is the request's. */
  must<T>(step: Step, call: (options: CallOptions) => Promise<T> | T): Promise<T> {
    return this.#timed(step, call, this.signal, this.#deadline, this.startedAt);
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

  /** Starts a step's call before its turn; `must` or `may` then waits for it, and its failure is theirs to tell. */
  ahead<T>(step: Step, call: (options: CallOptions) => Promise<T>): Promise<T> {
    const race = new Race(step, this.signal, this.#limitMs(step), this.#onCall, this.startedAt);
    const trace = this.#tracer?.begin(step) ?? UNTRACED;
    this.#early.set(step, { race, trace });
    const pending = race.against(trace.within(() => call(race))).finally(() => race.end());
    pending.catch(() => undefined);
    return pending;
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
    const startedAt = this.#begin();
    this.#isStreaming = true;
    const now = performance.now();
    const deadline = Math.min(now + limits.firstItemMs, this.#deadline);
    const race = new Race(step, this.signal, deadline - now, this.#onCall);
    const trace = this.#tracer?.begin(step) ?? UNTRACED;
    let error: RaglineError | undefined;
    let source: AsyncIterator<T> | undefined;
    let ended = false;
    try {
      const opened = trace.within(() => open(race)[Symbol.asyncIterator]());
      source = opened;
      const first = trace.within(() => opened.next());
      for (let next = await race.against(first); !next.done; next = await race.against(opened.next())) {
        race.pause();
        yield next.value;
        race.restart(limits.silenceMs);
      }
      ended = true;
    } catch (thrown) {
      error = toRaglineError(thrown, step);
      throw error;
    } finally {
      if (ended) race.end();
      else {
        race.cancel();
        // Not awaited: a source that hangs would hang its reader.
        source?.return?.().catch(() => undefined);
      }
      trace.end(this.#time(step, startedAt, race.served), error);
    }
  }

  /** Milliseconds up to now, when all steps are over: what was done since the last one counts to it. */
  totalMs(): number {
    const now = performance.now();
    this.#settle(now);
    return now - this.startedAt;
  }

  /** Whether a stream has begun. */
  get isStreaming(): boolean {
    return this.#isStreaming;
  }

  /** Notes that the answer waited for its reader, between two steps. */
  waitedForReader(since: number): void {
    const now = performance.now();
    this.#settle(since);
    this.#idleSince = now;
    this.spans.push({ step: "reader", startMs: rounded(since - this.startedAt), ms: rounded(now - since) });
  }

  /** Notes the answer's last event. */
  end(event: AnswerEvent): AnswerEvent {
    this.#isOver = true;
    // Begun, and never needed.
    for (const [step, { race, trace }] of this.#early)
      trace.end({ step, startMs: 0, ms: 0, ...race.served }, undefined);
    this.#observer?.onEnd?.(event);
    return event;
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
    if (!known) {
      const degradation = { step, reason: error.code, fallback };
      this.degraded.push(degradation);
      this.#observer?.onDegraded(degradation);
    }
    return value;
  }

  async #timed<T>(
    step: Step,
    call: (options: CallOptions) => Promise<T> | T,
    signal: AbortSignal,
    runDeadline: number,
    asOf?: number,
  ): Promise<T> {
    const startedAt = this.#begin();
    const race = new Race(step, signal, this.#limitMs(step, runDeadline), this.#onCall, asOf);
    const early = this.#early.get(step);
    this.#early.delete(step);
    const trace = early?.trace ?? this.#tracer?.begin(step) ?? UNTRACED;
    let error: RaglineError | undefined;
    try {
      const pending = trace.within(() => call(race));
      return pending instanceof Promise ? await race.against(pending) : pending;
    } catch (thrown) {
      error = toRaglineError(thrown, step);
      throw error;
    } finally {
      race.end();
      trace.end(this.#time(step, startedAt, race.served, early?.race.served), error);
    }
  }

  /** What is left for a step that begins now. */
  #limitMs(step: Step, deadline = this.#deadline): number {
    return Math.min(this.#limitsMs[step] ?? Number.POSITIVE_INFINITY, deadline - performance.now());
  }

  /** @returns since when the step counts: what was done since the one before it ended was done for it. */
  #begin(): number {
    return this.#running++ > 0 || this.#isOver ? performance.now() : this.#idleSince;
  }

  /** What was done between the last step's end and `until`, where none runs, was done for that step. */
  #settle(until: number): void {
    const span = this.#lastSpan;
    if (this.#running > 0 || !span) return;
    const ms = rounded(until - this.#idleSince);
    this.#idleSince = until;
    span.ms = rounded(span.ms + ms);
    this.timings[span.step] = rounded((this.timings[span.step] ?? 0) + ms);
  }

  #time(step: Step, startedAt: number, served: Served, early?: Served): StepSpan {
    const queueMs = served.queueMs + (early?.queueMs ?? 0);
    const serviceMs = served.serviceMs + (early?.serviceMs ?? 0);
    const now = performance.now();
    if (--this.#running === 0) this.#idleSince = now;
    const ms = rounded(now - startedAt);
    this.timings[step] = rounded((this.timings[step] ?? 0) + ms);
    const span = {
      step,
      startMs: rounded(startedAt - this.startedAt),
      ms,
      ...(queueMs > 0 && { queueMs: rounded(queueMs) }),
      ...(serviceMs > 0 && {
        serviceMs: rounded(serviceMs),
        networkMs: rounded(Math.max(0, ms - queueMs - serviceMs)),
      }),
    };
    this.#lastSpan = span;
    this.spans.push(span);
    this.#observer?.onStep(span);
    return span;
  }
}

const UNTRACED: StepTrace = { within: (call) => call(), end: () => undefined };

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
