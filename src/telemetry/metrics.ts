import { criticalPath } from "../critical-path.ts";
import type { StepTotal } from "../timeline.ts";
import type { AnswerEvent, Degradation, ModelCall, Step, StepSpan } from "../types.ts";
import { BoundedLabels } from "./bounded-labels.ts";
import type { Outcome } from "./outcome.ts";
import { Counter, Histogram, Registry } from "./prometheus.ts";
import { collectSources } from "./scraped.ts";
import type { MetricSources } from "./sources.ts";

/** Seconds. A step may take a tenth of a millisecond, and a model half a minute. */
const STEP_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const ANSWER_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120];
const TOKENS_PER_SECOND = [1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 1000];

/** A request as it is counted: once, at its end. */
export interface CountedRequest {
  /** Undefined: nobody knows whose it is. */
  readonly tenant: string | undefined;
  /** A name; empty: who was asked for a key and had none, or one that nobody has; undefined: nobody is asked. */
  readonly caller?: string | undefined;
  readonly route: string;
  readonly outcome: Outcome;
}

/** What Ragline counts. Observed some twenty times a request, never once a token; an observation takes about 0.3 µs. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #tenants: BoundedLabels;
  readonly #callers: BoundedLabels;
  readonly #stepSeconds = this.#histogram(
    "step_duration_seconds",
    "How long a step of an answer took.",
    ["step"],
    STEP_SECONDS,
  );
  readonly #queueSeconds = this.#histogram(
    "step_queue_seconds",
    "How long a step of an answer waited for its turn, where it did.",
    ["step"],
    STEP_SECONDS,
  );
  readonly #firstTextSeconds = this.#histogram(
    "time_to_first_token_seconds",
    "From an answer's request to its first text.",
    [],
    ANSWER_SECONDS,
  );
  readonly #leftSeconds = this.#histogram(
    "left_before_text_seconds",
    "How long answers took that were cancelled before any text: their readers left, or the server stopped.",
    [],
    ANSWER_SECONDS,
  );
  readonly #admissionSeconds = this.#histogram(
    "admission_wait_seconds",
    "How long questions and searches over HTTP waited until the busy process began or refused them, where they did.",
    [],
    ANSWER_SECONDS,
  );
  readonly #firstTextWaits = this.#counter(
    "first_text_wait_seconds_total",
    "What first texts waited for, by step: of steps beside each other those that ended last; `reader`: nobody took an event.",
    ["step"],
  );
  readonly #requestSeconds = this.#histogram(
    "request_duration_seconds",
    "How long an answer took, by how it ended.",
    ["outcome"],
    ANSWER_SECONDS,
  );
  readonly #tokensPerSecond = this.#histogram(
    "tokens_per_second",
    "How fast answers were written after their first text, where the model counted.",
    [],
    TOKENS_PER_SECOND,
  );
  readonly #tokens = this.#counter("tokens_total", "Tokens that models read (in) and wrote (out).", [
    "step",
    "direction",
  ]);
  readonly #degradations = this.#counter("degradations_total", "Steps that fell back, by the reason.", [
    "step",
    "reason",
  ]);
  readonly #errors = this.#counter("errors_total", "Requests that ended with an error; not those whose client left.", [
    "code",
    "step",
  ]);
  readonly #requests = this.#counter("requests_total", "Requests by tenant, route and how they ended.", [
    "tenant",
    "route",
    "outcome",
  ]);
  readonly #callerRequests = this.#counter(
    "caller_requests_total",
    "Requests of callers, by the code of the error that they ended with, `none` without one; no caller: no valid key.",
    ["caller", "route", "code"],
  );
  /** Of what `scraped.ts` reads. */
  readonly #live = {
    activeStreams: 0,
    waitingRequests: 0,
    activeSteps: new Map<Step, number>(),
    answerLookups: { hit: 0, miss: 0, failed: 0 },
  };

  constructor(
    sources: MetricSources,
    { tenantsMax, callersMax }: { readonly tenantsMax: number; readonly callersMax: number },
  ) {
    this.#tenants = new BoundedLabels(tenantsMax);
    this.#callers = new BoundedLabels(callersMax);
    collectSources(this.#registry, sources, this.#live);
  }

  /** Everything, in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Requests that are in line to be begun. */
  waiting(count: number): void {
    this.#live.waitingRequests = count;
  }

  /** One of them is begun, or refused. */
  waited(ms: number): void {
    this.#admissionSeconds.observe(ms / 1000);
  }

  begin(): void {
    this.#live.activeStreams++;
  }

  stepBegun(step: Step): void {
    this.#live.activeSteps.set(step, (this.#live.activeSteps.get(step) ?? 0) + 1);
  }

  stepOver(step: Step): void {
    this.#live.activeSteps.set(step, (this.#live.activeSteps.get(step) ?? 0) - 1);
  }

  /** One step of one answer, once. */
  step({ step, ms, queueMs }: StepTotal): void {
    this.#stepSeconds.observe({ step }, ms / 1000);
    if (queueMs > 0) this.#queueSeconds.observe({ step }, queueMs / 1000);
  }

  modelCall(step: Step, { inputTokens, outputTokens }: ModelCall): void {
    if (inputTokens > 0) this.#tokens.inc({ step, direction: "in" }, inputTokens);
    if (outputTokens > 0) this.#tokens.inc({ step, direction: "out" }, outputTokens);
  }

  degraded({ step, reason }: Degradation): void {
    this.#degradations.inc({ step, reason });
  }

  /** `code`: of the error that it ended with. */
  request({ tenant = "", caller, route, outcome }: CountedRequest, code: string | undefined): void {
    this.#requests.inc({ tenant: this.#tenants.of(tenant), route, outcome });
    if (caller === undefined) return;
    const ended = outcome === "cancelled" ? "cancelled" : (code ?? "none");
    this.#callerRequests.inc({ caller: this.#callers.of(caller), route, code: ended });
  }

  /** Of an answer that had text, however it ended. */
  firstText(ms: number, spans: readonly StepSpan[]): void {
    this.#firstTextSeconds.observe(ms / 1000);
    for (const [step, waitedMs] of criticalPath(spans, ms)) this.#firstTextWaits.inc({ step }, waitedMs / 1000);
  }

  /** An answer is over: `last` is its last event, absent where it ended without one; `hasText`: its reader had some. */
  end(
    last: AnswerEvent | undefined,
    request: CountedRequest & { readonly ms: number; readonly hasText: boolean },
  ): void {
    this.#live.activeStreams--;
    this.request(request, last?.type === "answer-error" ? last.error.code : undefined);
    this.#requestSeconds.observe({ outcome: request.outcome }, request.ms / 1000);
    if (request.outcome === "cancelled" && !request.hasText) this.#leftSeconds.observe(request.ms / 1000);
    if (last?.type === "answer-error" && request.outcome !== "cancelled") this.error(last.error);
    if (last?.type !== "answer-end") return;
    const { timings, cached, degraded } = last;
    if (timings.cache !== undefined) {
      const failed = degraded.some(({ step }) => step === "cache");
      this.#live.answerLookups[cached ? "hit" : failed ? "failed" : "miss"]++;
    }
    const perSecond = tokensPerSecond(last);
    if (perSecond !== null) this.#tokensPerSecond.observe(perSecond);
  }

  error({ code, step = "none" }: { readonly code: string; readonly step?: string | undefined }): void {
    this.#errors.inc({ code, step });
  }

  #histogram(name: string, help: string, labelNames: readonly string[], buckets: number[]): Histogram {
    return new Histogram({ name: `ragline_${name}`, help, labelNames, buckets, registers: [this.#registry] });
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({ name: `ragline_${name}`, help, labelNames, registers: [this.#registry] });
  }
}

/** Of what came after the first text; null where too little came to tell, or only an estimate is known. */
function tokensPerSecond({ calls, spans, firstTextMs }: Extract<AnswerEvent, { readonly type: "answer-end" }>) {
  const tokens = calls.generate?.outputTokens ?? 0;
  const span = spans.findLast(({ step }) => step === "generate");
  if (firstTextMs === null || !span || tokens < 2) return null;
  const ms = span.startMs + span.ms - firstTextMs;
  return ms < 1 ? null : ((tokens - 1) * 1000) / ms;
}
