import { setTimeout as wait } from "node:timers/promises";
import type { RaglineError } from "../errors.ts";
import type { StepTrace } from "../run-observer.ts";
import type { AnswerEvent, Step, StepSpan } from "../types.ts";
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "./api.ts";
import type { Outcome } from "./outcome.ts";
import type { TracedAnswer, TracedCall, TracedRequest, Traces } from "./traces.ts";

/** For sending what is left. */
const CLOSING_MS = 1500;

/** Who sends spans. */
interface Provider {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
  /** Ends what is still open to the collector, which would keep the process, and says what is lost. */
  hangUp(): void;
}

/** Spans of requests, answers and steps, by OpenTelemetry. */
export class Tracing implements Traces {
  readonly tracer: Tracer;
  readonly #provider: Provider;

  constructor(tracer: Tracer, provider: Provider) {
    this.tracer = tracer;
    this.#provider = provider;
  }

  request(method: string, route: string, headers: Readonly<Record<string, unknown>>): TracedRequest {
    const parent = propagation.extract(ROOT_CONTEXT, headers);
    const attributes = { "http.request.method": method, "http.route": route };
    const span = this.tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
    return new RequestSpan(span, trace.setSpan(parent, span));
  }

  call(path: string, metadata: Readonly<Record<string, unknown>>): TracedCall {
    const parent = propagation.extract(ROOT_CONTEXT, metadata);
    const name = path.replace(/^\//, "");
    const attributes = { "rpc.system.name": "grpc", "rpc.method": name };
    const span = this.tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    const within = trace.setSpan(parent, span);
    return {
      within: (call) => context.with(within, call),
      end(code) {
        if (code !== null) span.setAttribute("error.type", code).setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }

  answer(attributes: Attributes): TracedAnswer {
    const parent = context.active();
    const above = trace.getSpan(parent);
    // Below what is not sampled nothing is.
    if (above && !above.isRecording()) return new AnswerSpan(this.tracer, null, parent);
    const span = this.tracer.startSpan("answer", { attributes }, parent);
    return new AnswerSpan(this.tracer, span, trace.setSpan(parent, span));
  }

  async flush(): Promise<void> {
    await this.#provider.forceFlush().catch(() => undefined);
  }

  async close(): Promise<void> {
    // Whoever watches the exporter has been told of its failures; a collector that is away does not hold up the end.
    const over = new AbortController();
    const shut = this.#provider.shutdown().catch(() => undefined);
    const patience = wait(CLOSING_MS, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([shut, patience]);
    over.abort();
    this.#provider.hangUp();
  }
}

class RequestSpan implements TracedRequest {
  readonly #span: Span;
  readonly #context: Context;

  constructor(span: Span, within: Context) {
    this.#span = span;
    this.#context = within;
  }

  within<T>(call: () => T): T {
    return context.with(this.#context, call);
  }

  end(status: number): void {
    this.#span.setAttribute("http.response.status_code", status);
    if (status >= 500) this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.end();
  }
}

class AnswerSpan implements TracedAnswer {
  readonly #tracer: Tracer;
  /** Null: not sampled. */
  readonly #span: Span | null;
  readonly #context: Context;
  readonly #unsampled: StepTrace;

  constructor(tracer: Tracer, span: Span | null, within: Context) {
    this.#tracer = tracer;
    this.#span = span?.isRecording() ? span : null;
    this.#context = within;
    this.#unsampled = {
      within: (call) => (context.active() === within ? call() : context.with(within, call)),
      end: () => undefined,
    };
  }

  begin(step: Step): StepTrace {
    if (!this.#span) return this.#unsampled;
    // Attributes that a span begins with are looked through twice, for the sampler.
    const span = this.#tracer.startSpan(step, undefined, this.#context).setAttribute("ragline.step", step);
    const within = trace.setSpan(this.#context, span);
    return {
      within: (call) => context.with(within, call),
      end: (timed, error) => endStep(span, timed, error),
    };
  }

  end(last: AnswerEvent | undefined, outcome: Outcome): void {
    const span = this.#span;
    if (!span) return;
    span.setAttribute("ragline.outcome", outcome);
    if (last?.type === "answer-end") {
      span.setAttributes({
        "ragline.cached": last.cached,
        "ragline.degraded": last.degraded.map(({ step, reason }) => `${step}: ${reason}`),
        ...(last.firstTextMs !== null && { "ragline.first_text_ms": last.firstTextMs }),
      });
    }
    if (last?.type === "answer-error") {
      span.setAttribute("error.type", last.error.code);
      if (outcome === "failed") span.setStatus({ code: SpanStatusCode.ERROR, message: last.error.message });
    }
    span.end();
  }
}

function endStep(span: Span, { queueMs, serviceMs, networkMs }: StepSpan, error: RaglineError | undefined): void {
  if (queueMs !== undefined) span.setAttribute("ragline.queue_ms", queueMs);
  if (serviceMs !== undefined) span.setAttribute("ragline.service_ms", serviceMs);
  if (networkMs !== undefined) span.setAttribute("ragline.network_ms", networkMs);
  if (error) {
    span.setAttribute("error.type", error.code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  }
  span.end();
}
