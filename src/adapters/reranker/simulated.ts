import type { Reranker } from "../../ports/reranker.ts";
import { type BatchServerOptions, batchServer } from "../simulated/batch-server.ts";
import { createLexicalReranker } from "./lexical.ts";

/** An emulated cross-encoder: the order of `lexical`, given out when a model's server would. */
export function createSimulatedReranker(options: BatchServerOptions): Reranker {
  const reranker = createLexicalReranker();
  const serve = batchServer(options);
  return {
    ...reranker,
    model: "simulated",
    async rerank(query, texts, call) {
      if (texts.length === 0) return [];
      await serve(texts.length, call);
      return reranker.rerank(query, texts, call);
    },
  };
}
