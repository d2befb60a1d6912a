import { RaglineError } from "../../errors.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../../ports/language-model.ts";
import type { CallOptions } from "../../types.ts";
import { methodOf, STAGE_SERVICES } from "../../wire/definitions.ts";
import { deltaFrom, type GenerateDeltaMessage, generateMessage } from "../../wire/generate.ts";
import type { GrpcOptions } from "../grpc/channel.ts";
import type { GrpcEndpoint } from "../grpc/endpoint.ts";
import { type OpenedEndpoints, openEndpoints } from "../grpc/open.ts";

const GENERATE = methodOf(STAGE_SERVICES.generate, "Generate");
/** While no endpoint has said how much its model reads. */
const CONTEXT_TOKENS = 8192;

/** A language model for each endpoint of `ragline stage generate`. */
export function createGrpcLanguageModels(options: GrpcOptions): Promise<OpenedEndpoints<LanguageModel>> {
  return openEndpoints(options, false, ({ endpoint, siblings, problem, ...shared }) => ({
    get model() {
      return siblings.agreed?.model ?? `${options.endpoints.join(", ")}, not reached`;
    },
    get contextTokensMax() {
      return siblings.agreed?.contextTokensMax ?? CONTEXT_TOKENS;
    },
    get quotesOnly() {
      return siblings.agreed?.quotesOnly ? true : undefined;
    },
    stream: (request, call) => deltas(endpoint, request, call),
    missing: () => problem()?.replace(/^generate: /, "") ?? null,
    ...shared,
  }));
}

async function* deltas(
  endpoint: GrpcEndpoint,
  request: GenerateRequest,
  call: CallOptions,
): AsyncGenerator<GenerateDelta, void, undefined> {
  let hasEnded = false;
  for await (const message of endpoint.stream<GenerateDeltaMessage>(GENERATE, generateMessage(request), call)) {
    const delta = deltaFrom(message);
    if (!delta) continue;
    hasEnded = delta.type === "end";
    yield delta;
  }
  if (!hasEnded) throw new RaglineError("dependency_failed", "The answer of the generate stage was cut.");
}
