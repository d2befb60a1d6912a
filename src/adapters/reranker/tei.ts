import { z } from "zod";
import { RaglineError } from "../../errors.ts";
import type { Reranker } from "../../ports/reranker.ts";
import { postJson } from "../http/post.ts";

const responseSchema = z.array(z.object({ index: z.int().min(0), score: z.number() }));

/** A `/rerank` endpoint as text-embeddings-inference serves it. */
export function createTeiReranker(options: {
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
}): Reranker {
  const endpoint = { url: `${options.baseUrl.replace(/\/+$/, "")}/rerank`, apiKey: options.apiKey };
  return {
    model: `tei at ${new URL(options.baseUrl).host}`,
    async rerank(query, texts, { signal }) {
      if (texts.length === 0) return [];
      const answer = responseSchema.safeParse(await postJson(endpoint, { query, texts, truncate: true }, signal));
      const indices = new Set(answer.data?.map(({ index }) => index).filter((index) => index < texts.length));
      if (!answer.success || indices.size !== texts.length || answer.data.length !== texts.length) {
        throw new RaglineError("dependency_failed", "The reranking endpoint's answer cannot be used.", {
          cause: answer.error ?? new Error(`${indices.size} scores for ${texts.length} texts`),
        });
      }
      return answer.data.toSorted((a, b) => b.score - a.score || a.index - b.index);
    },
  };
}
