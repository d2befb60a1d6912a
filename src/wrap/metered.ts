import type { Embedder } from "../ports/embedder.ts";
import type { GenerateDelta, LanguageModel } from "../ports/language-model.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import type { ModelCall } from "../types.ts";
import { CallWithin } from "./call-within.ts";
import { type Watch, WatchedStream } from "./watched-stream.ts";
import { withMethods } from "./with-methods.ts";

/** One call of a model, told to its caller however it ends. */
class Metered extends CallWithin {
  readonly #startedAt = performance.now();
  #tokens = 0;

  override onTokens(tokens: number): void {
    this.#tokens += tokens;
  }

  /** `counted`: the tokens it read, where the model did not say; counted when they are asked for, as the answer waits here. */
  end(counted: () => number, outputTokens = 0): void {
    this.onModelCall(new Counted(this.#tokens, counted, outputTokens, performance.now() - this.#startedAt));
  }
}

class MeteredStream extends Metered implements Watch<GenerateDelta> {
  #usage = { promptTokens: 0, completionTokens: 0 };

  onItem(delta: GenerateDelta): void {
    if (delta.type === "end" && delta.usage) this.#usage = delta.usage;
  }

  onEnd(): void {
    const { promptTokens, completionTokens } = this.#usage;
    this.end(() => promptTokens, completionTokens);
  }
}

class Counted implements ModelCall {
  readonly outputTokens: number;
  readonly ms: number;
  readonly #counted: () => number;
  #tokens: number;

  constructor(tokens: number, counted: () => number, outputTokens: number, ms: number) {
    this.#tokens = tokens;
    this.#counted = counted;
    this.outputTokens = outputTokens;
    this.ms = ms;
  }

  get inputTokens(): number {
    this.#tokens ||= this.#counted();
    return this.#tokens;
  }
}

const none = () => 0;

export function meteredEmbedder(embedder: Embedder, counter: TokenCounter): Embedder {
  return withMethods(embedder, {
    async embed(texts, kind, call) {
      if (!call.onModelCall) return embedder.embed(texts, kind, call);
      const metered = new Metered(call);
      let counted = none;
      try {
        const vectors = await embedder.embed(texts, kind, metered);
        counted = () => sum(texts, counter);
        return vectors;
      } finally {
        metered.end(counted);
      }
    },
  });
}

export function meteredReranker(reranker: Reranker, counter: TokenCounter): Reranker {
  return withMethods(reranker, {
    async rerank(query, texts, call) {
      if (!call.onModelCall) return reranker.rerank(query, texts, call);
      const metered = new Metered(call);
      let counted = none;
      try {
        const scores = await reranker.rerank(query, texts, metered);
        // A cross-encoder reads the query with every text.
        counted = () => sum(texts, counter) + texts.length * counter.count(query);
        return scores;
      } finally {
        metered.end(counted);
      }
    },
  });
}

/** What a stream read and wrote is known at its end alone, if then: one that is left or breaks off counts with no tokens. */
export function meteredModel(model: LanguageModel): LanguageModel {
  return withMethods(model, {
    stream(request, call) {
      return new WatchedStream(() => {
        const watch = new MeteredStream(call);
        return { source: model.stream(request, watch), watch };
      });
    },
  });
}

function sum(texts: readonly string[], counter: TokenCounter): number {
  return texts.reduce((tokens, text) => tokens + counter.count(text), 0);
}
