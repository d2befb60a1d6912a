import { createAiSdkReranker } from "../adapters/reranker/ai-sdk.ts";
import { createCohereReranker } from "../adapters/reranker/cohere.ts";
import { createLexicalReranker } from "../adapters/reranker/lexical.ts";
import { createOnnxReranker } from "../adapters/reranker/onnx.ts";
import { createTeiReranker } from "../adapters/reranker/tei.ts";
import type { Config } from "../config.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { batchedReranker } from "../wrap/batched.ts";
import { limitedReranker } from "../wrap/limited.ts";
import { meteredReranker } from "../wrap/metered.ts";
import { retriedReranker } from "../wrap/retried.ts";
import { onnxOptions } from "./onnx.ts";

export function chooseReranker({ rerank: config, models }: Config, counter: TokenCounter): Reranker | null {
  switch (config.use) {
    case "lexical":
      return createLexicalReranker();
    case "tei":
      return createTeiReranker(config);
    case "cohere":
      return createCohereReranker({ ...config, counter });
    case "ai-sdk":
      return createAiSdkReranker(config);
    case "onnx":
      return batchedReranker(createOnnxReranker(onnxOptions(config, models)), config);
    case "none":
      return null;
  }
}

export function wrapReranker(
  reranker: Reranker | null,
  config: Config["rerank"],
  counter: TokenCounter,
): Reranker | null {
  if (!reranker || config.use === "lexical") return reranker;
  const metered = meteredReranker(reranker, counter);
  return "concurrencyMax" in config ? retriedReranker(limitedReranker(metered, config), config) : metered;
}
