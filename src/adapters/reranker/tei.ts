import { z } from "zod";
import type { Reranker, RerankScore } from "../../ports/reranker.ts";
import { inBatches } from "../http/batches.ts";
import { allScores, unfit } from "../http/scores.ts";
import { createTei } from "../http/tei.ts";

const responseSchema = z.array(z.object({ index: z.int().min(0), score: z.number() }));

/** A `/rerank` endpoint as text-embeddings-inference serves it. Texts are scored one by one there, so that batches compare. */
export function createTeiReranker(options: {
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
}): Reranker {
  const tei = createTei(options);
  return {
    model: `tei at ${new URL(options.baseUrl).host}`,
    async rerank(query, texts, call) {
      if (texts.length === 0) return [];
      const { batchTextsMax } = await tei.info(call);
      const scores = await inBatches(texts, batchTextsMax, async (batch): Promise<number[]> => {
        const answer = responseSchema.safeParse(
          await tei.post("/rerank", { query, texts: batch, truncate: true }, call),
        );
        if (!answer.success) throw unfit(answer.error);
        return allScores(answer.data, batch.length)
          .toSorted((a, b) => a.index - b.index)
          .map(({ score }) => score);
      });
      return allScores(
        scores.map((score, index): RerankScore => ({ index, score })),
        texts.length,
      );
    },
  };
}
