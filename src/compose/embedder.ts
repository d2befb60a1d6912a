import { createAiSdkEmbedder } from "../adapters/embedder/ai-sdk.ts";
import { createHashingEmbedder } from "../adapters/embedder/hashing.ts";
import { createOnnxEmbedder } from "../adapters/embedder/onnx.ts";
import { createOpenAiEmbedder } from "../adapters/embedder/openai.ts";
import { createStaticEmbedder } from "../adapters/embedder/static.ts";
import { createTeiEmbedder } from "../adapters/embedder/tei.ts";
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { batchedEmbedder } from "../wrap/batched.ts";
import { cachedEmbedder } from "../wrap/cached.ts";
import { limitedEmbedder } from "../wrap/limited.ts";
import { meteredEmbedder } from "../wrap/metered.ts";
import { retriedEmbedder } from "../wrap/retried.ts";
import { onnxOptions } from "./onnx.ts";

export function chooseEmbedder({ embed: config, models }: Config, counter: TokenCounter): Embedder {
  switch (config.use) {
    case "static":
      return createStaticEmbedder();
    case "hashing":
      return createHashingEmbedder(config);
    case "openai":
      return createOpenAiEmbedder({ ...config, counter });
    case "tei":
      return createTeiEmbedder(config);
    case "ai-sdk":
      return createAiSdkEmbedder({ ...config, counter });
    case "onnx":
      return batchedEmbedder(createOnnxEmbedder(onnxOptions(config, models)), config);
  }
}

/** A cache outside, so that a hit costs no turn; each try takes a turn, and none while it waits; only calls are metered. */
export function wrapEmbedder(embedder: Embedder, config: Config["embed"], counter: TokenCounter): Embedder {
  if (!("cacheMb" in config)) return embedder;
  const metered = meteredEmbedder(embedder, counter);
  const called = "concurrencyMax" in config ? retriedEmbedder(limitedEmbedder(metered, config), config) : metered;
  return config.cacheMb === 0 ? called : cachedEmbedder(called, { bytesMax: config.cacheMb * 1_048_576 });
}
