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
import { type Watch, WatchedStream } from "./watched-stream.ts";
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
  const operation = new Operation("embeddings", options);
  return withMethods(embedder, {
    async embed(texts, kind, call) {
      if (!isRecorded()) return embedder.embed(texts, kind, call);
      const traced = operation.begin(nameOf(embedder.model), call, {
        "gen_ai.embeddings.dimension.count": embedder.dimensions,
        "ragline.texts": texts.length,
      });
      return traced.run((within) => embedder.embed(texts, kind, within));
    },
  });
}

export function tracedReranker(reranker: Reranker, options: TracedOptions): Reranker {
  const operation = new Operation("rerank", options);
  return withMethods(reranker, {
    async rerank(query, texts, call) {
      if (!isRecorded()) return reranker.rerank(query, texts, call);
      const traced = operation.begin(reranker.model, call, { "ragline.texts": texts.length });
      return traced.run((within) => reranker.rerank(query, texts, within));
    },
  });
}

export function tracedModel(model: LanguageModel, options: TracedOptions): LanguageModel {
  const operation = new Operation("chat", options);
  return withMethods(model, {
    stream(request, call) {
      if (!isRecorded()) return model.stream(request, call);
      const traced = operation.begin(model.model, call, {
        "gen_ai.request.stream": true,
        "gen_ai.request.max_tokens": request.maxOutputTokens,
        ...(options.content && { "gen_ai.input.messages": messagesOf(request) }),
      });
      return new WatchedStream(() => ({
        source: traced.stream(() => model.stream(request, traced)),
        watch: traced,
      }));
    },
  });
}

/** Whether a recorded trace stands above. */
export function isRecorded(): boolean {
  return trace.getActiveSpan()?.isRecording() === true;
}

/** What is asked of a model, and what spans of all such calls say. */
class Operation {
  readonly #name: string;
  readonly #options: TracedOptions;
  readonly #attributes: Attributes;

  constructor(name: string, options: TracedOptions) {
    this.#name = name;
    this.#options = options;
    this.#attributes = {
      "gen_ai.operation.name": name,
      "gen_ai.provider.name": options.provider,
      ...addressOf(options.url),
    };
  }

  begin(model: string, call: CallOptions, own: Attributes): TracedCall {
    const attributes = { ...this.#attributes, "gen_ai.request.model": model, ...own };
    const { tracer, content } = this.#options;
    const span = tracer.startSpan(`${this.#name} ${model}`, { kind: SpanKind.CLIENT, attributes });
    return new TracedCall(call, span, content);
  }
}

/** One call of something remote, and its span. */
class TracedCall extends CallWithin implements Watch<GenerateDelta> {
  readonly #span: Span;
  readonly #context: Context;
  readonly #hasContent: boolean;
  readonly #startedAt = performance.now();
  #inputTokens = 0;
  #hasBegun = false;
  #text = "";

  constructor(call: CallOptions, span: Span, hasContent: boolean) {
    super(call);
    this.#span = span;
    this.#hasContent = hasContent;
    this.#context = trace.setSpan(context.active(), span);
  }

  override onTokens(tokens: number): void {
    this.#inputTokens += tokens;
    super.onTokens(tokens);
  }

  async run<T>(make: (call: CallOptions) => Promise<T>): Promise<T> {
    try {
      return await context.with(this.#context, () => make(this));
    } catch (thrown) {
      this.onFailure(thrown);
      throw thrown;
    } finally {
      this.onEnd();
    }
  }

  /** Opened and begun within the call's context. */
  stream<T>(open: () => AsyncIterable<T>): AsyncIterable<T> {
    const within = this.#context;
    return {
      [Symbol.asyncIterator]: () =>
        new StreamWithin(
          context.with(within, () => open()[Symbol.asyncIterator]()),
          within,
        ),
    };
  }

  onItem(delta: GenerateDelta): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      const seconds = (performance.now() - this.#startedAt) / 1000;
      this.#span.setAttribute("gen_ai.response.time_to_first_chunk", seconds);
    }
    if (delta.type === "text" && this.#hasContent) this.#text += delta.text;
    if (delta.type !== "end") return;
    this.#span.setAttribute("gen_ai.response.finish_reasons", [delta.finishReason]);
    if (delta.usage) {
      this.#inputTokens = delta.usage.promptTokens;
      this.#span.setAttribute("gen_ai.usage.output_tokens", delta.usage.completionTokens);
    }
    if (this.#hasContent) {
      const parts = [{ type: "text", content: this.#text }];
      const message = { role: "assistant", parts, finish_reason: delta.finishReason };
      this.#span.setAttribute("gen_ai.output.messages", JSON.stringify([message]));
    }
  }

  onFailure(thrown: unknown): void {
    const type = thrown instanceof RaglineError ? thrown.code : "internal";
    this.#span.setAttribute("error.type", type);
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  onEnd(): void {
    if (this.#inputTokens > 0) this.#span.setAttribute("gen_ai.usage.input_tokens", this.#inputTokens);
    this.#span.end();
  }
}

/** A stream that begins in a context; afterwards it goes on in it by itself. */
class StreamWithin<T> implements AsyncIterator<T> {
  readonly #source: AsyncIterator<T>;
  #context: Context | undefined;

  constructor(source: AsyncIterator<T>, within: Context) {
    this.#source = source;
    this.#context = within;
  }

  next(): Promise<IteratorResult<T>> {
    const within = this.#context;
    this.#context = undefined;
    return within ? context.with(within, () => this.#source.next()) : this.#source.next();
  }

  async return(value?: unknown): Promise<IteratorResult<T>> {
    return (await this.#source.return?.(value)) ?? { done: true, value };
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
