import { availableParallelism } from "node:os";
import { createStaticEmbedder } from "../adapters/embedder/static.ts";
import { createAiSdkLanguageModel } from "../adapters/language-model/ai-sdk.ts";
import { createExtractiveModel } from "../adapters/language-model/extractive.ts";
import { createLlamaLanguageModel } from "../adapters/language-model/llama.ts";
import { createOpenAiLanguageModel } from "../adapters/language-model/openai.ts";
import { createSimulatedModel } from "../adapters/language-model/simulated.ts";
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import { limitedModel } from "../wrap/limited.ts";
import { meteredModel } from "../wrap/metered.ts";
import { retriedModel } from "../wrap/retried.ts";
import { spreadModel } from "../wrap/spread.ts";
import { type Endpoints, each, endpointsAt, inProcess, spreading } from "./endpoints.ts";
import type { Instruments } from "./instruments.ts";

export async function chooseModels(
  { generate: config, embed }: Config,
  embedder: Embedder,
  instruments: Instruments,
): Promise<Endpoints<LanguageModel>> {
  switch (config.use) {
    case "extractive": {
      // Quoting compares sentences, many a question: with the table in this process, never over a network.
      const local = embed.use === "static" ? embedder : createStaticEmbedder();
      return inProcess(createExtractiveModel({ sentencesMax: config.sentences, embedder: local }));
    }
    case "openai":
      return endpointsAt(config.baseUrl, (baseUrl) => createOpenAiLanguageModel({ ...config, baseUrl }));
    case "llama": {
      const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / 2));
      return inProcess(await createLlamaLanguageModel(instruments.queued("generate", { ...config, threads })));
    }
    case "ai-sdk":
      return inProcess(createAiSdkLanguageModel(config));
    case "grpc": {
      const { createGrpcLanguageModels } = await import("../adapters/language-model/grpc.ts");
      return createGrpcLanguageModels({ ...config, step: "generate" });
    }
    case "simulated":
      return inProcess(createSimulatedModel(instruments.queued("generate", config)));
  }
}

export function wrapModel(
  endpoints: Endpoints<LanguageModel>,
  config: Config["generate"],
  instruments: Instruments,
): LanguageModel {
  if (config.use === "extractive") return endpoints[0].port;
  const called = each(endpoints, ({ name, port }) => {
    const traced = instruments.model(port, config, name);
    // A stage apart says itself which models it called.
    return config.use === "grpc" ? traced : meteredModel(traced);
  });
  if (!("breaker" in config)) return called[0].port;
  const spread = instruments.spread(spreadModel(called, spreading("generate", config.firstTokenTimeoutMs, config)));
  return retriedModel(limitedModel(spread, instruments.queued("generate", config)), config);
}
