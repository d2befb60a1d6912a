import { createAiSdkReranker } from "../adapters/reranker/ai-sdk.ts";
import { createCohereReranker } from "../adapters/reranker/cohere.ts";
import { createLexicalReranker } from "../adapters/reranker/lexical.ts";
import { createOnnxReranker } from "../adapters/reranker/onnx.ts";
import { createSimulatedReranker } from "../adapters/reranker/simulated.ts";
import { createTeiReranker } from "../adapters/reranker/tei.ts";
import type { Config } from "../config.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { batchedReranker } from "../wrap/batched.ts";
import { limitedReranker } from "../wrap/limited.ts";
import { meteredReranker } from "../wrap/metered.ts";
import { retriedReranker } from "../wrap/retried.ts";
import { spreadReranker } from "../wrap/spread.ts";
import { type Endpoints, each, endpointsAt, inProcess, spreading } from "./endpoints.ts";
import type { Instruments } from "./instruments.ts";
import { onnxOptions } from "./onnx.ts";

export async function chooseRerankers(
  { rerank: config, models }: Config,
  counter: TokenCounter,
  instruments: Instruments,
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
    case "onnx": {
      const options = instruments.queued("rerank", config);
      return inProcess(batchedReranker(createOnnxReranker(onnxOptions(config, models)), options));
    }
    case "grpc": {
      const { createGrpcRerankers } = await import("../adapters/reranker/grpc.ts");
      return createGrpcRerankers({ ...config, step: "rerank" });
    }
    case "simulated":
      return inProcess(createSimulatedReranker(instruments.queued("rerank", config)));
    case "none":
      return null;
  }
}

export function wrapReranker(
  endpoints: Endpoints<Reranker>,
  config: Config["rerank"],
  counter: TokenCounter,
  instruments: Instruments,
): Reranker {
  if (config.use === "lexical") return endpoints[0].port;
  const called = each(endpoints, ({ name, port }) => {
    const traced = instruments.reranker(port, config, name);
    // A stage apart says itself which models it called.
    return config.use === "grpc" ? traced : meteredReranker(traced, counter);
  });
  if (!("breaker" in config)) return called[0].port;
  const spread = instruments.spread(spreadReranker(called, spreading("rerank", config.timeoutMs, config)));
  return retriedReranker(limitedReranker(spread, instruments.queued("rerank", config)), config);
}
