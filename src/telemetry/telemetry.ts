import type { Logger } from "pino";
import type { RaglineError } from "../errors.ts";
import type { RunObserver } from "../run-observer.ts";
import type { Scope } from "../types.ts";
import { AnswerLog } from "./answer-log.ts";
import { type CountedRequest, Metrics } from "./metrics.ts";
import { ObservedAnswer } from "./observed-answer.ts";
import type { MetricSources } from "./sources.ts";
import type { Traces } from "./traces.ts";

export type { MetricSources, Traces };

/** The configuration's own words. */
export interface TelemetryOptions {
  readonly telemetry: { readonly tenantsMax: number; readonly callersMax: number };
  readonly log: { readonly content: boolean };
}

interface AskedQuestion {
  readonly requestId: string;
  readonly sessionId: string;
  /** What the caller keeps of the conversation; then there is none here that the id names. */
  readonly history: unknown;
  readonly scope: Scope;
  readonly question: string;
}

/** What can be seen of Ragline from outside: metrics, the log's lines, traces. */
export class Telemetry {
  readonly metrics: Metrics;
  /** Null: nothing is traced. */
  readonly traces: Traces | null;
  readonly #log: Logger;
  readonly #answers: AnswerLog;
  /** For what is no answer. */
  readonly runs: RunObserver;

  constructor(sources: MetricSources, log: Logger, options: TelemetryOptions, traces: Traces | null) {
    const metrics = new Metrics(sources, options.telemetry);
    this.metrics = metrics;
    this.traces = traces;
    this.#log = log;
    this.#answers = new AnswerLog(log, options.log.content);
    this.runs = {
      onModelCall: (step, call) => metrics.modelCall(step, call),
      onDegraded: (degradation) => metrics.degraded(degradation),
    };
  }

  /** An answer that is about to begin. */
  answer(asking: AskedQuestion, route = "library", caller?: string): ObservedAnswer {
    const { requestId, scope, question } = asking;
    const { tenant, collection } = scope;
    const sessionId = asking.history === null ? asking.sessionId : undefined;
    const asked = {
      requestId,
      sessionId,
      tenant,
      collection,
      route,
      question,
      ...(caller !== undefined && { caller }),
    };
    const traced = this.traces?.answer({
      ...(sessionId !== undefined && { "gen_ai.conversation.id": sessionId }),
      "ragline.request_id": requestId,
      "ragline.tenant": tenant,
      "ragline.collection": collection,
    });
    return new ObservedAnswer(asked, this.metrics, this.#answers, traced);
  }

  /** A request that is over and was no answer; probes are logged for who debugs. */
  request({ isProbe, failure, ...request }: HttpRequest): void {
    this.metrics.request(request, failure?.code);
    const error = request.outcome === "cancelled" ? undefined : failure;
    // Its step is none of an answer.
    if (error) this.metrics.error({ code: error.code });
    const line = { ...request, caller: request.caller || undefined, code: error?.code, step: error?.step };
    this.#log[isProbe ? "debug" : "info"](line, "request");
  }
}

export interface HttpRequest extends CountedRequest {
  readonly requestId: string;
  /** Of a key that nobody has: the first 8 hexadecimal digits of its SHA-256. */
  readonly unknownKey: string | undefined;
  readonly method: string;
  readonly status: number;
  readonly totalMs: number;
  readonly isProbe: boolean;
  readonly failure: RaglineError | undefined;
}
