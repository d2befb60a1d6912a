import { z } from "zod";
import type { Reranker } from "../../ports/reranker.ts";
import type { TokenCounter } from "../../ports/token-counter.ts";
import { cutTo } from "../http/cut.ts";
import { OptionalFields } from "../http/optional-fields.ts";
import { Endpoint, type EndpointOptions, postJson } from "../http/post.ts";
import { allScores, unfit } from "../http/scores.ts";
import { reportServed } from "../http/served.ts";

export interface CohereRerankerOptions extends EndpointOptions {
  /** Up to and with `/v1` or `/v2`. */
  readonly baseUrl: string;
  readonly model: string;
  /** Longer texts are cut; counted by `counter`. */
  readonly inputTokensMax: number;
  readonly counter: TokenCounter;
}

const tokens = z.number().int().min(0);
const responseSchema = z.object({
  results: z.array(z.object({ index: z.int().min(0), relevance_score: z.number() })),
  /** Jina, vLLM. */
  usage: z.object({ total_tokens: tokens }).nullish().catch(null),
  /** Cohere. */
  meta: z
    .object({ tokens: z.object({ input_tokens: tokens }) })
    .nullish()
    .catch(null),
});

/** Cohere's `/rerank`, as Jina, vLLM, LiteLLM, llama.cpp, … speak it too. */
export function createCohereReranker(options: CohereRerankerOptions): Reranker {
  const { model, counter, inputTokensMax } = options;
  const endpoint = Endpoint.under(options.baseUrl, "/rerank", options);
  // Jina sends the texts back unless told not to; others do not know the field.
  const echo = new OptionalFields({ return_documents: false });
  return {
    model,
    async rerank(query, texts, call) {
      if (texts.length === 0) return [];
      const documents = texts.map((text) => cutTo(text, inputTokensMax, counter));
      const body = { model, query, documents, top_n: documents.length };
      const sent = (fields: object) => postJson(endpoint, { ...body, ...fields }, call.signal);
      const { value, headers } = await echo.send(sent);
      reportServed(headers, call);
      const answer = responseSchema.safeParse(value);
      if (!answer.success) throw unfit(answer.error);
      const { results, usage, meta } = answer.data;
      const read = usage?.total_tokens ?? meta?.tokens.input_tokens;
      if (read) call.onTokens?.(read);
      return allScores(
        results.map(({ index, relevance_score: score }) => ({ index, score })),
        texts.length,
      );
    },
  };
}
