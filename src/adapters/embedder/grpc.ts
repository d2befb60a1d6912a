import { RaglineError } from "../../errors.ts";
import type { Embedder } from "../../ports/embedder.ts";
import { methodOf, STAGE_SERVICES } from "../../wire/definitions.ts";
import type { EmbedRequest, EmbedResponse } from "../../wire/messages.ts";
import { hasNumbers, unpacked } from "../../wire/vectors.ts";
import type { GrpcOptions } from "../grpc/channel.ts";
import { type OpenedEndpoints, openEndpoints } from "../grpc/open.ts";

const EMBED = methodOf(STAGE_SERVICES.embed, "Embed");

/** An embedder for each endpoint of `ragline stage embed`. Until one is reached the vector space is not known. */
export function createGrpcEmbedders(options: GrpcOptions): Promise<OpenedEndpoints<Embedder>> {
  return openEndpoints(options, true, ({ endpoint, siblings, ...shared }) => ({
    get model() {
      return siblings.agreed?.model ?? `${options.endpoints.join(", ")}, not reached`;
    },
    get dimensions() {
      return siblings.agreed?.dimensions ?? 0;
    },
    get textTokensMax() {
      return siblings.agreed?.textTokensMax;
    },
    // Not known: as if they left.
    get remote() {
      return (siblings.agreed?.remote ?? true) ? true : undefined;
    },
    async embed(texts, kind, call) {
      if (texts.length === 0) return [];
      const request: EmbedRequest = { kind: kind === "query" ? "QUERY" : "PASSAGE", texts };
      const { model, dimensions, vectors } = await endpoint.unary<EmbedResponse>(EMBED, request, call);
      const { agreed } = siblings;
      if (agreed && (model !== agreed.model || dimensions !== agreed.dimensions)) {
        endpoint.forget();
        throw unusable(`${endpoint.name} embeds with ${model} now, and not with ${agreed.model}`);
      }
      const own = unpacked(vectors, dimensions);
      if (own.length !== texts.length || own.at(-1)?.length !== dimensions) {
        throw unusable(`${vectors.length} bytes for ${texts.length} vectors of ${dimensions} values`);
      }
      if (!own.every(hasNumbers)) throw unusable("a vector with values that are no numbers");
      return own;
    },
    ...shared,
  }));
}

function unusable(reason: string): RaglineError {
  return new RaglineError("dependency_failed", "The embedding stage's answer cannot be used.", {
    retryable: false,
    cause: new Error(reason),
  });
}
