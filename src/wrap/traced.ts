import { RaglineError } from "../errors.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../ports/language-model.ts";
import type { Reranker } from "../ports/reranker.ts";
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "../telemetry/api.ts";
import type { CallOptions } from "../types.ts";
import { CallWithin } from "./call-within.ts";
import { WatchedStream } from "./watched-stream.ts";
import { withMethods } from "./with-methods.ts";

export interface TracedOptions {
  readonly tracer: Tracer;
  /** As OpenTelemetry's conventions name who serves a model, or a store. */
  readonly provider: string;
  /** Where it is served. */
  readonly url?: string | undefined;
  /** Whether prompts and answers are recorded. */
  readonly content: boolean;
}

/**
 * A span each call of a model, named and described by OpenTelemetry's conventions for generative AI, below the step that makes it.
 * Of a call that no recorded trace stands above, none.
 */
export function tracedEmbedder(embedder: Embedder, options: TracedOptions): Embedder {
  return withMethods(embedder, {
    async embed(texts, kind, call) {
      const traced = TracedCall.begin("embeddings", nameOf(embedder.model), call, options, {
        "gen_ai.embeddings.dimension.count": embedder.dimensions,
        "ragline.texts": texts.length,
      });
      return traced ? traced.run((within) => embedder.embed(texts, kind, within)) : embedder.embed(texts, kind, call);
    },
  });
}

export function tracedReranker(reranker: Reranker, options: TracedOptions): Reranker {
  return withMethods(reranker, {
    async rerank(query, texts, call) {
      const traced = TracedCall.begin("rerank", reranker.model, call, options, { "ragline.texts": texts.length });
      return traced
        ? traced.run((within) => reranker.rerank(query, texts, within))
        : reranker.rerank(query, texts, call);
    },
  });
}

export function tracedModel(model: LanguageModel, options: TracedOptions): LanguageModel {
  return withMethods(model, {
    stream(request, call) {
      const traced = TracedCall.begin("chat", model.model, call, options, {
        "gen_ai.request.stream": true,
        "gen_ai.request.max_tokens": request.maxOutputTokens,
        ...(options.content && { "gen_ai.input.messages": messagesOf(request) }),
      });
      if (!traced) return model.stream(request, call);
      const source = traced.stream(() => model.stream(request, traced));
      return new WatchedStream(() => ({
        source,
        onItem: (delta) => traced.onDelta(delta, options.content),
        onFailure: (thrown) => traced.fail(thrown),
        onEnd: () => traced.end(),
      }));
    },
  });
}

/** One call of something remote, and its span. */
class TracedCall extends CallWithin {
  readonly #span: Span;
  readonly #context: Context;
  readonly #startedAt = performance.now();
  #inputTokens = 0;
  #hasBegun = false;
  #text = "";

  private constructor(call: CallOptions, span: Span) {
    super(call);
    this.#span = span;
    this.#context = trace.setSpan(context.active(), span);
  }

  /** Null: no recorded trace stands above. */
  static begin(
    operation: string,
    model: string,
    call: CallOptions,
    { tracer, provider, url }: TracedOptions,
    attributes: Attributes,
  ): TracedCall | null {
    if (!trace.getActiveSpan()?.isRecording()) return null;
    const span = tracer.startSpan(`${operation} ${model}`, {
      kind: SpanKind.CLIENT,
      attributes: {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        ...addressOf(url),
        ...attributes,
      },
    });
    return new TracedCall(call, span);
  }

  override onTokens(tokens: number): void {
    this.#inputTokens += tokens;
    super.onTokens(tokens);
  }

  async run<T>(make: (call: CallOptions) => Promise<T>): Promise<T> {
    try {
      return await context.with(this.#context, () => make(this));
    } catch (thrown) {
      this.fail(thrown);
      throw thrown;
    } finally {
      this.end();
    }
  }

  /** Opened and begun within the call's context; afterwards it goes on in it by itself. */
  stream<T>(open: () => AsyncIterable<T>): AsyncIterable<T> {
    const within = <R>(call: () => R) => context.with(this.#context, call);
    return {
      [Symbol.asyncIterator]() {
        const source = within(() => open()[Symbol.asyncIterator]());
        let hasBegun = false;
        return {
          next() {
            if (hasBegun) return source.next();
            hasBegun = true;
            return within(() => source.next());
          },
          return: async (value) => (await source.return?.(value)) ?? { done: true, value },
        };
      },
    };
  }

  onDelta(delta: GenerateDelta, hasContent: boolean): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      const seconds = (performance.now() - this.#startedAt) / 1000;
      this.#span.setAttribute("gen_ai.response.time_to_first_chunk", seconds);
    }
    if (delta.type === "text" && hasContent) this.#text += delta.text;
    if (delta.type !== "end") return;
    this.#span.setAttribute("gen_ai.response.finish_reasons", [delta.finishReason]);
    if (delta.usage) {
      this.#inputTokens = delta.usage.promptTokens;
      this.#span.setAttribute("gen_ai.usage.output_tokens", delta.usage.completionTokens);
    }
    if (hasContent) {
      const parts = [{ type: "text", content: this.#text }];
      const message = { role: "assistant", parts, finish_reason: delta.finishReason };
      this.#span.setAttribute("gen_ai.output.messages", JSON.stringify([message]));
    }
  }

  fail(thrown: unknown): void {
    const type = thrown instanceof RaglineError ? thrown.code : "internal";
    this.#span.setAttribute("error.type", type);
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    if (this.#inputTokens > 0) this.#span.setAttribute("gen_ai.usage.input_tokens", this.#inputTokens);
    this.#span.end();
  }
}

/** A vector space is named by its model and dimensions. */
function nameOf(space: string): string {
  return space.replace(/\/\d+$/, "");
}

const PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443, "redis:": 6379, "rediss:": 6379 };

/** Nothing where there is no address, or a list of them. */
export function addressOf(url: string | undefined): Attributes {
  const parsed = url === undefined ? null : URL.parse(url);
  if (!parsed?.hostname || parsed.host.includes(",")) return {};
  const port = Number(parsed.port) || PORTS[parsed.protocol];
  return { "server.address": parsed.hostname, ...(port && { "server.port": port }) };
}

function messagesOf({ messages }: GenerateRequest): string {
  return JSON.stringify(messages.map(({ role, content }) => ({ role, parts: [{ type: "text", content }] })));
}
