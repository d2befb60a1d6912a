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
import { spreadReranker } from "../wrap/spread.ts";
import { type Endpoints, each, endpointsAt, inProcess, type Spreads, spreading } from "./endpoints.ts";
import { onnxOptions } from "./onnx.ts";

export async function chooseRerankers(
  { rerank: config, models }: Config,
  counter: TokenCounter,
): Promise<Endpoints<Reranker> | null> {
  switch (config.use) {
    case "lexical":
      return inProcess(createLexicalReranker());
    case "tei":
      return endpointsAt(config.baseUrl, (baseUrl) => createTeiReranker({ ...config, baseUrl }));
    case "cohere":
      return endpointsAt(config.baseUrl, (baseUrl) => createCohereReranker({ ...config, baseUrl, counter }));
    case "ai-sdk":
      return inProcess(createAiSdkReranker(config));
    case "onnx":
      return inProcess(batchedReranker(createOnnxReranker(onnxOptions(config, models)), config));
    case "grpc": {
      const { createGrpcRerankers } = await import("../adapters/reranker/grpc.ts");
      return createGrpcRerankers({ ...config, step: "rerank" });
    }
    case "none":
      return null;
  }
}

export function wrapReranker(
  endpoints: Endpoints<Reranker>,
  config: Config["rerank"],
  counter: TokenCounter,
  spreads: Spreads,
): Reranker {
  if (config.use === "lexical") return endpoints[0].port;
  // A stage apart says itself which models it called.
  const metered = config.use === "grpc" ? endpoints : each(endpoints, (port) => meteredReranker(port, counter));
  if (!("breaker" in config)) return metered[0].port;
  const spread = spreads.add(spreadReranker(metered, spreading("rerank", config.timeoutMs, config)));
  return retriedReranker(limitedReranker(spread, config), config);
}
