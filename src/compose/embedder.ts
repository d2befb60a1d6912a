import { createAiSdkEmbedder } from "../adapters/embedder/ai-sdk.ts";
import { createHashingEmbedder } from "../adapters/embedder/hashing.ts";
import { createOnnxEmbedder } from "../adapters/embedder/onnx.ts";
import { createOpenAiEmbedder } from "../adapters/embedder/openai.ts";
import { createSimulatedEmbedder } from "../adapters/embedder/simulated.ts";
import { createStaticEmbedder } from "../adapters/embedder/static.ts";
import { createTeiEmbedder } from "../adapters/embedder/tei.ts";
import { openRedisVectorCache } from "../adapters/vector-cache/redis.ts";
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { batchedEmbedder } from "../wrap/batched.ts";
import { cachedEmbedder } from "../wrap/cached.ts";
import { closeAll } from "../wrap/close-all.ts";
import { limitedEmbedder } from "../wrap/limited.ts";
import { meteredEmbedder } from "../wrap/metered.ts";
import { retriedEmbedder } from "../wrap/retried.ts";
import { spreadEmbedder } from "../wrap/spread.ts";
import { type Endpoints, each, endpointsAt, inProcess, spreading } from "./endpoints.ts";
import type { Instruments } from "./instruments.ts";
import { onnxOptions } from "./onnx.ts";

export async function chooseEmbedders(
  { embed: config, models }: Config,
  counter: TokenCounter,
  instruments: Instruments,
): Promise<Endpoints<Embedder>> {
  switch (config.use) {
    case "static":
      return inProcess(createStaticEmbedder());
    case "hashing":
      return inProcess(createHashingEmbedder(config));
    case "openai":
      return endpointsAt(config.baseUrl, (baseUrl) => createOpenAiEmbedder({ ...config, baseUrl, counter }));
    case "tei":
      return endpointsAt(config.baseUrl, (baseUrl) => createTeiEmbedder({ ...config, baseUrl }));
    case "ai-sdk":
      return inProcess(createAiSdkEmbedder({ ...config, counter }));
    case "onnx": {
      const options = instruments.queued("embed", config);
      return inProcess(batchedEmbedder(createOnnxEmbedder(onnxOptions(config, models)), options));
    }
    case "grpc": {
      const { createGrpcEmbedders } = await import("../adapters/embedder/grpc.ts");
      return createGrpcEmbedders({ ...config, step: "embed" });
    }
    case "simulated":
      return inProcess(createSimulatedEmbedder(instruments.queued("embed", config)));
  }
}

/**
 * From the outside in: a hit of the cache costs no turn; each try takes a turn, and none while it waits; it goes to one endpoint
 * (hedged, to two); what is metered and traced are calls.
 * @throws RaglineError `config_invalid`: the shared cache cannot be opened; the endpoints are closed.
 */
export async function wrapEmbedder(
  endpoints: Endpoints<Embedder>,
  config: Config["embed"],
  counter: TokenCounter,
  instruments: Instruments,
): Promise<Embedder> {
  if (!("cacheMb" in config)) return endpoints[0].port;
  const called = each(endpoints, ({ name, port }) => {
    const traced = instruments.embedder(port, config, name);
    // A stage apart says itself which models it called.
    return config.use === "grpc" ? traced : meteredEmbedder(traced, counter);
  });
  const wrapped = () => {
    if (!("breaker" in config)) return called[0].port;
    const spread = instruments.spread(spreadEmbedder(called, spreading("embed", config.timeoutMs, config)));
    return retriedEmbedder(limitedEmbedder(spread, instruments.queued("embed", config)), config);
  };
  if (config.cacheMb === 0 && !config.sharedCache) return wrapped();
  const shared =
    config.sharedCache &&
    (await openRedisVectorCache(config.sharedCache).catch(async (thrown: unknown) => {
      await closeAll(endpoints.map(({ port }) => port)).catch(() => undefined);
      throw thrown;
    }));
  return cachedEmbedder(wrapped(), {
    bytesMax: config.cacheMb * 1_048_576,
    shared,
    onLookup: instruments.onLookup,
  });
}
