import { RaglineError, toRaglineError } from "./errors.ts";
import { Pace } from "./pace.ts";
import { Caller, Race } from "./race.ts";
import { RacedStream, type StreamBegun } from "./raced-stream.ts";
import type { RunObserver, StepTrace, StepTracer } from "./run-observer.ts";
import { rounded, Timeline } from "./timeline.ts";
import type { AnswerEvent, CallOptions, Calls, Degradation, ModelCall, Served, Step, StepSpan } from "./types.ts";

export interface RunOptions {
  /** The caller's: aborts when the caller leaves. */
  readonly signal: AbortSignal;
  /** Limit for the whole run until its first text. */
  readonly timeoutMs: number;
  /** Limits by step; a step without one has the run's. */
  readonly limitsMs: Partial<Record<Step, number>>;
  /** How long the steps usually take. Without it every step is tried as long as any time is left. */
  readonly pace?: Pace;
  /** Called with every failure that makes the answer worse or ends it, and its cause. */
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
 * is tried again here: that is `wrap/retried.ts`, within the same deadline. A step that usually takes longer than there is time is
 * refused at once (`pace.ts`); one that the answer can do without leaves what the steps after it usually take.
 */
export class Run {
  readonly timeline = new Timeline();
  readonly degraded: Degradation[] = [];
  readonly signal: AbortSignal;
  readonly #caller: Caller;
  readonly #timeoutMs: number;
  readonly #deadline: number;
  readonly #limitsMs: Partial<Record<Step, number>>;
  readonly #pace: Pace;
  readonly #onFailure: (error: RaglineError) => void;
  readonly #calls: { readonly step: Step; readonly call: ModelCall }[] = [];
  readonly #observer: RunObserver | undefined;
  readonly #tracer: StepTracer | undefined;
  /** Calls that were started before their step's turn. */
  readonly #early = new Map<Step, { readonly race: Race; readonly trace: StepTrace }>();
  /** What a step failed with: where it cannot be begun again, that tells why, not how little time it left. */
  readonly #failed: Partial<Record<Step, RaglineError>> = {};
  /** What shall bring the first text, and since when. */
  #streaming: { readonly step: Step; readonly race: Race; readonly startedAt: number } | undefined;
  #firstTextMs: number | null = null;
  readonly #onCall = (step: Step, call: ModelCall): void => {
    this.#calls.push({ step, call });
    this.#observer?.onModelCall(step, call);
  };

  constructor(options: RunOptions) {
    this.signal = options.signal;
    this.#caller = new Caller(options.signal);
    this.#timeoutMs = options.timeoutMs;
    this.#deadline = this.timeline.startedAt + options.timeoutMs;
    this.#limitsMs = options.limitsMs;
    this.#pace = options.pace ?? new Pace();
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
    return performance.now() - this.timeline.startedAt;
  }

  /** Runs a step that the answer cannot do without: its failure is the request's. */
  must<T>(step: Step, call: (options: CallOptions) => Promise<T> | T): Promise<T> {
    return this.#timed(step, call, this.#caller, this.#deadline, this.timeline.startedAt);
  }

  /**
   * Runs a step after the answer, like `may`, under its own limit alone: what was said is kept though the caller has left
   * or the run's time is up.
   */
  async afterwards<T>(step: Step, call: (options: CallOptions) => Promise<T> | T, otherwise: Otherwise<T>): Promise<T> {
    try {
      return await this.#timed(step, call, new Caller(new AbortController().signal), Number.POSITIVE_INFINITY);
    } catch (thrown) {
      return this.#degrade(step, thrown, otherwise);
    }
  }

  /** Starts a step's call before its turn; `must` or `may` then waits for it, and its failure is theirs to tell. */
  ahead<T>(step: Step, call: (options: CallOptions) => Promise<T>): Promise<T> {
    const race = new Race(step, this.#caller, this.#limitMs(step), this.#onCall, this.timeline.startedAt);
    const trace = this.#tracer?.begin(step) ?? UNTRACED;
    this.#early.set(step, { race, trace });
    const pending = race.against(trace.within(() => call(race))).finally(() => race.end());
    pending.catch(() => undefined);
    return pending;
  }

  /** Runs a step that the answer can do without: its failure is noted in `degraded` and the fallback is used. */
  async may<T>(step: Step, call: (options: CallOptions) => Promise<T> | T, otherwise: Otherwise<T>): Promise<T> {
    try {
      return await this.#timed(step, call, this.#caller, this.#deadline - this.#pace.reserve(step, this.#timeoutMs));
    } catch (thrown) {
      if (this.signal.aborted) throw toRaglineError(thrown, step);
      return this.#degrade(step, thrown, otherwise);
    }
  }

  /**
   * Streams a step. The limits bound the wait for the first item and the silence between two, the request's time the wait for the
   * first text (`noteText`), and nothing the whole length. A reader who stops early, a limit that passes and a caller who leaves all
   * abort the signal and close the source.
   */
  stream<T>(
    step: Step,
    open: (options: CallOptions) => AsyncIterable<T>,
    limits: StreamLimits,
  ): AsyncIterableIterator<T, undefined> {
    return new RacedStream(limits.silenceMs, open, () => this.#begin(step, limits));
  }

  #begin(step: Step, { firstItemMs }: StreamLimits): StreamBegun {
    const now = performance.now();
    this.#checkTime(step, now, this.#deadline);
    const startedAt = this.#began(step);
    const race = new Race(step, this.#caller, firstItemMs, this.#onCall);
    if (this.#firstTextMs === null) race.due(this.#deadline);
    this.#streaming = { step, race, startedAt: now };
    const trace = this.#tracer?.begin(step) ?? UNTRACED;
    return {
      race,
      within: (call) => trace.within(call),
      onOver: (thrown) => {
        if (isCut(thrown) && this.#firstTextMs === null) this.#note(step, now, race.served, true);
        const error = thrown === undefined ? undefined : toRaglineError(thrown, step);
        trace.end(this.#ended(step, startedAt, race.served), error);
        return error;
      },
    };
  }

  /** Whether a stream has begun. */
  get isStreaming(): boolean {
    return this.#streaming !== undefined;
  }

  /** Milliseconds from the request's start to its first text; null: there was none. */
  get firstTextMs(): number | null {
    return this.#firstTextMs;
  }

  /** Notes that the first text goes out. From here on the request's time limit no longer applies. */
  noteText(): void {
    if (this.#firstTextMs !== null) return;
    this.#firstTextMs = this.elapsedMs();
    if (!this.#streaming) return;
    const { step, race, startedAt } = this.#streaming;
    race.due(Number.POSITIVE_INFINITY);
    this.#note(step, startedAt, race.served, false);
  }

  /** For an answer: step follows on step until `end`, or until its reader leaves. */
  begin(): void {
    this.#caller.stay();
  }

  /** Ends the run: cancels calls that were started ahead for steps that never came. */
  leave(): void {
    this.#caller.go();
    for (const [step, { race, trace }] of this.#early) {
      race.cancel();
      trace.end({ step, startMs: 0, ms: 0, ...race.served }, undefined);
    }
    this.#early.clear();
  }

  /** Notes the answer's last event. */
  end(event: AnswerEvent): AnswerEvent {
    this.#caller.go();
    this.timeline.close();
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
    caller: Caller,
    runDeadline: number,
    asOf?: number,
  ): Promise<T> {
    const now = performance.now();
    this.#checkTime(step, now, runDeadline);
    const startedAt = this.#began(step);
    const race = new Race(step, caller, this.#limitMs(step, runDeadline), this.#onCall, asOf);
    const early = this.#early.get(step);
    this.#early.delete(step);
    const trace = early?.trace ?? this.#tracer?.begin(step) ?? UNTRACED;
    let error: RaglineError | undefined;
    try {
      race.check();
      const pending = trace.within(() => call(race));
      if (!(pending instanceof Promise)) return pending;
      const value = await race.against(pending);
      this.#note(step, now, race.served, false, early?.race.served);
      return value;
    } catch (thrown) {
      if (isCut(thrown)) this.#note(step, now, race.served, true, early?.race.served);
      error = toRaglineError(thrown, step);
      this.#failed[step] = error;
      throw error;
    } finally {
      race.end();
      trace.end(this.#ended(step, startedAt, race.served, early?.race.served), error);
    }
  }

  /** @throws RaglineError `deadline_short`: it usually takes longer than there is time; or what it failed with before. */
  #checkTime(step: Step, now: number, deadline: number): void {
    const left = deadline - now;
    if (this.signal.aborted || this.#pace.admits(step, left)) return;
    const before = this.#failed[step];
    if (before) throw before;
    const usual = Math.ceil(this.#pace.expect(step));
    const message =
      left > 0
        ? `Not begun: ${Math.floor(left)} ms were left for it, and it usually takes ${usual} ms.`
        : "Not begun: the request's time was over.";
    throw new RaglineError("deadline_short", message, { step });
  }

  /** Time spent waiting in a queue does not count as the step's own. */
  #note(step: Step, startedAt: number, served: Served, wasCut: boolean, early?: Served): void {
    const ms = performance.now() - startedAt - served.queueMs - (early?.queueMs ?? 0);
    this.#pace.note(step, Math.max(0, ms), wasCut);
  }

  /** What is left for a step that begins now. */
  #limitMs(step: Step, deadline = this.#deadline): number {
    return Math.min(this.#limitsMs[step] ?? Number.POSITIVE_INFINITY, deadline - performance.now());
  }

  #began(step: Step): number {
    this.#observer?.onStepBegun?.(step);
    return this.timeline.begin();
  }

  #ended(step: Step, startedAt: number, served: Served, early?: Served): StepSpan {
    const span = this.timeline.end(step, startedAt, served, early);
    this.#observer?.onStep?.({ step, ms: span.ms, queueMs: span.queueMs ?? 0 });
    return span;
  }
}

function isCut(thrown: unknown): boolean {
  return thrown instanceof RaglineError && thrown.code === "dependency_timeout";
}

const UNTRACED: StepTrace = { within: (call) => call(), end: () => undefined };
