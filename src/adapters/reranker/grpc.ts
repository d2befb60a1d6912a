import type { Reranker } from "../../ports/reranker.ts";
import { methodOf, STAGE_SERVICES } from "../../wire/definitions.ts";
import type { RerankRequest, RerankResponse } from "../../wire/messages.ts";
import type { GrpcOptions } from "../grpc/channel.ts";
import { type OpenedEndpoints, openEndpoints } from "../grpc/open.ts";
import { allScores } from "../http/scores.ts";

const RERANK = methodOf(STAGE_SERVICES.rerank, "Rerank");

/** A reranker for each endpoint of `ragline stage rerank`. */
export function createGrpcRerankers(options: GrpcOptions): Promise<OpenedEndpoints<Reranker>> {
  return openEndpoints(options, false, ({ endpoint, siblings, ...shared }) => ({
    get model() {
      return siblings.agreed?.model ?? `${options.endpoints.join(", ")}, not reached`;
    },
    get textTokensMax() {
      return siblings.agreed?.textTokensMax;
    },
    async rerank(query, texts, call) {
      if (texts.length === 0) return [];
      const request: RerankRequest = { query, texts };
      const { indices, scores } = await endpoint.unary<RerankResponse>(RERANK, request, call);
      const ranked = indices.map((index, i) => ({ index, score: scores[i] ?? Number.NaN }));
      return allScores(ranked, texts.length);
    },
    ...shared,
  }));
}
