import { type PermitOptions, Permits } from "../permits.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { Reranker } from "../ports/reranker.ts";
import { WatchedStream } from "./watched-stream.ts";
import { withMethods } from "./with-methods.ts";

export function limitedEmbedder(embedder: Embedder, options: PermitOptions): Embedder {
  const permits = new Permits(options);
  return withMethods(embedder, {
    async embed(texts, kind, call) {
      const { free } = await permits.take(call, kind === "passage");
      try {
        return await embedder.embed(texts, kind, call);
      } finally {
        free();
      }
    },
  });
}

export function limitedReranker(reranker: Reranker, options: PermitOptions): Reranker {
  const permits = new Permits(options);
  return withMethods(reranker, {
    async rerank(query, texts, call) {
      const { free } = await permits.take(call);
      try {
        return await reranker.rerank(query, texts, call);
      } finally {
        free();
      }
    },
  });
}

/** A permit lasts as long as its stream. */
export function limitedModel(model: LanguageModel, options: PermitOptions): LanguageModel {
  const permits = new Permits(options);
  return withMethods(model, {
    stream(request, call) {
      return new WatchedStream(async () => {
        const { free } = await permits.take(call);
        return { source: model.stream(request, call), watch: { onEnd: free } };
      });
    },
  });
}
