import type { AiSdkRerankingModel } from "../../ai-sdk-models.ts";
import type { Reranker } from "../../ports/reranker.ts";
import { aiSdkFailure } from "../ai-sdk/failure.ts";
import { allScores, unfit } from "../http/scores.ts";

/** Any reranking model of the AI SDK. */
export function createAiSdkReranker({ model }: { readonly model: AiSdkRerankingModel }): Reranker {
  return {
    model: `${model.provider}/${model.modelId}`,
    async rerank(query, texts, { signal }) {
      if (texts.length === 0) return [];
      const documents = { type: "text" as const, values: [...texts] };
      try {
        const { ranking } = await model.doRerank({ documents, query, topN: texts.length, abortSignal: signal });
        const scores = ranking.map(({ index, relevanceScore: score }) => ({ index, score }));
        if (!scores.every(({ index, score }) => Number.isSafeInteger(index) && index >= 0 && Number.isFinite(score))) {
          throw unfit(new Error("an index or a score that is no number"));
        }
        return allScores(scores, texts.length);
      } catch (cause) {
        throw aiSdkFailure(cause, signal);
      }
    },
  };
}
