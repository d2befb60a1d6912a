import type { Reranker } from "../../ports/reranker.ts";
import { bestFirst } from "../../statistics.ts";
import { inBatches } from "../http/batches.ts";
import type { EndpointOptions } from "../http/post.ts";
import { inOrder } from "../http/scores.ts";
import { createTei } from "../http/tei.ts";

/** A `/rerank` endpoint as text-embeddings-inference serves it. Texts are scored one by one there, so that batches compare. */
export function createTeiReranker(options: EndpointOptions & { readonly baseUrl: string }): Reranker {
  const tei = createTei({ ...options, path: "/rerank" });
  return {
    model: `tei at ${new URL(options.baseUrl).host}`,
    async rerank(query, texts, call) {
      if (texts.length === 0) return [];
      const { batchTextsMax } = await tei.info(call);
      const scores = await inBatches(texts, batchTextsMax, async (batch) =>
        inOrder(await tei.post({ query, texts: batch, truncate: true }, call), batch.length),
      );
      return bestFirst(scores);
    },
  };
}
