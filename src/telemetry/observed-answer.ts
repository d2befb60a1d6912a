import type { Run } from "../run.ts";
import type { RunObserver } from "../run-observer.ts";
import type { StepTotal } from "../timeline.ts";
import type { AnswerEvent, Degradation, ModelCall, Step } from "../types.ts";
import type { Answering } from "../under-way.ts";
import type { AnswerLog } from "./answer-log.ts";
import type { Metrics } from "./metrics.ts";
import { outcomeOf } from "./outcome.ts";
import type { TracedAnswer } from "./traces.ts";

/** Who asks what, for metrics and the log. */
export interface AskedAnswer {
  readonly requestId: string;
  /** Undefined: the conversation is not kept here. */
  readonly sessionId: string | undefined;
  readonly tenant: string;
  readonly collection: string;
  readonly route: string;
  readonly question: string;
  /** The name of who asks, where it has one. */
  readonly caller?: string;
}

type Events = AsyncGenerator<AnswerEvent, void, undefined>;

/** One answer as it is counted and logged. */
export class ObservedAnswer implements RunObserver {
  readonly #asked: AskedAnswer;
  readonly #metrics: Metrics;
  readonly #log: AnswerLog;
  /** Itself, as a run takes it. */
  readonly observer = this;
  readonly tracer: TracedAnswer | undefined;
  /** Counted at the end: tokens that no model reported are counted when they are asked for. */
  readonly #calls: { readonly step: Step; readonly call: ModelCall }[] = [];
  /** Steps; null until the answer is over. */
  #counted: Set<Step> | null = null;
  #last: AnswerEvent | undefined;
  #isUnderWay = false;

  constructor(asked: AskedAnswer, metrics: Metrics, log: AnswerLog, tracer: TracedAnswer | undefined) {
    this.#asked = asked;
    this.#metrics = metrics;
    this.#log = log;
    this.tracer = tracer;
  }

  onStepBegun(step: Step): void {
    this.#metrics.stepBegun(step);
  }

  /** Steps count at the end, each once however often it began; what runs after the answer counts then. */
  onStep(ended: StepTotal): void {
    this.#metrics.stepOver(ended.step);
    if (!this.#counted || this.#counted.has(ended.step)) return;
    this.#counted.add(ended.step);
    this.#metrics.step(ended);
  }

  onModelCall(step: Step, call: ModelCall): void {
    this.#calls.push({ step, call });
  }

  onDegraded(degradation: Degradation): void {
    this.#metrics.degraded(degradation);
  }

  onEnd(event: AnswerEvent): void {
    this.#last = event;
  }

  /** The same events; the answer is under way from the first `next` on. */
  watch(events: Events, run: Run, answering: Answering): Events {
    return new ObservedEvents(events, run, {
      keepsText: this.#log.hasContent,
      isEnding: () => this.#last !== undefined,
      onBegin: () => this.#begin(answering),
      onOver: (text) => this.#end(run, text, answering),
    });
  }

  #begin(answering: Answering): void {
    this.#isUnderWay = true;
    this.#metrics.begin();
    answering.begin();
  }

  #end(run: Run, text: string, answering: Answering): void {
    if (!this.#isUnderWay) return;
    this.#isUnderWay = false;
    answering.over();
    const last = this.#last;
    const outcome = outcomeOf(last);
    const ms = run.elapsedMs();
    const steps = run.timeline.totals();
    this.#counted = new Set(steps.map(({ step }) => step));
    for (const total of steps) this.#metrics.step(total);
    for (const { step, call } of this.#calls) this.#metrics.modelCall(step, call);
    if (run.firstTextMs !== null) this.#metrics.firstText(run.firstTextMs, run.timeline.spans);
    this.#metrics.end(last, { ...this.#asked, outcome, ms, hasText: run.firstTextMs !== null });
    this.tracer?.end(last, outcome);
    this.#log.write(this.#asked, { last, outcome, ms, run, text });
  }
}

interface Watcher {
  /** Whether `onOver` is told the text. */
  readonly keepsText: boolean;
  /** Whether the last event is made: a reader who takes it, and asks for more, is told that there is none. */
  isEnding(): boolean;
  onBegin(): void;
  onOver(text: string): void;
}

/**
 * Looks at each event up to the first text, and at the end; what is streamed passes as it is, since it comes once a token. Where the run's
 * signal aborts, the rest is taken at once, as only so the answer ends and is stored: nobody may come for it. Who does is given it.
 */
class ObservedEvents implements Events {
  readonly #events: Events;
  readonly #run: Run;
  readonly #watcher: Watcher;
  #hasBegun = false;
  /** When the reader was given an event that it has not come back from. */
  #handedAt: number | null = null;
  /** Taken before anybody asked. */
  readonly #taken: Promise<IteratorResult<AnswerEvent, void>>[] = [];
  #text = "";

  constructor(events: Events, run: Run, watcher: Watcher) {
    this.#events = events;
    this.#run = run;
    this.#watcher = watcher;
  }

  next(): Promise<IteratorResult<AnswerEvent, void>> {
    const taken = this.#taken.shift();
    if (taken) return taken;
    if (this.#run.isStreaming) {
      if (!this.#watcher.keepsText && !this.#watcher.isEnding()) return this.#events.next();
    } else if (this.#handedAt !== null) this.#run.timeline.waitedForReader(this.#handedAt);
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#watcher.onBegin();
      this.#run.signal.addEventListener("abort", this.#takeRest, { once: true });
    }
    return this.#look();
  }

  #look(): Promise<IteratorResult<AnswerEvent, void>> {
    return this.#events.next().then(this.#onResult, this.#onFailure);
  }

  async return(): Promise<IteratorResult<AnswerEvent, void>> {
    const result = await this.#events.return();
    this.#watcher.onOver(this.#text);
    return result;
  }

  async throw(error: unknown): Promise<IteratorResult<AnswerEvent, void>> {
    return this.#events.throw(error).finally(() => this.#watcher.onOver(this.#text));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  readonly #takeRest = async (): Promise<void> => {
    for (let isDone = false; !isDone; ) {
      const next = this.#look();
      this.#taken.push(next);
      isDone = await next.then(
        ({ done }) => done === true,
        () => true,
      );
    }
  };

  readonly #onResult = (result: IteratorResult<AnswerEvent, void>): IteratorResult<AnswerEvent, void> => {
    if (result.done) {
      this.#watcher.onOver(this.#text);
      return result;
    }
    const event = result.value;
    if (event.type === "text-delta" && this.#watcher.keepsText) this.#text += event.text;
    this.#handedAt = performance.now();
    return result;
  };

  readonly #onFailure = (thrown: unknown): never => {
    this.#watcher.onOver(this.#text);
    throw thrown;
  };
}
