import { availableParallelism } from "node:os";
import { createStaticEmbedder } from "../adapters/embedder/static.ts";
import { createAiSdkLanguageModel } from "../adapters/language-model/ai-sdk.ts";
import { createExtractiveModel } from "../adapters/language-model/extractive.ts";
import { createLlamaLanguageModel } from "../adapters/language-model/llama.ts";
import { createOpenAiLanguageModel } from "../adapters/language-model/openai.ts";
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import { firstServing } from "../wrap/first-serving.ts";
import { limitedModel } from "../wrap/limited.ts";
import { meteredModel } from "../wrap/metered.ts";
import { retriedModel } from "../wrap/retried.ts";

export async function chooseModel({ generate: config, embed }: Config, embedder: Embedder): Promise<LanguageModel> {
  switch (config.use) {
    case "extractive": {
      // Quoting compares sentences, many a question: with the table in this process, never over a network.
      const local = embed.use === "static" ? embedder : createStaticEmbedder();
      return createExtractiveModel({ sentencesMax: config.sentences, embedder: local });
    }
    case "openai":
      return createOpenAiLanguageModel(config);
    case "llama": {
      const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / 2));
      return createLlamaLanguageModel({ ...config, threads });
    }
    case "ai-sdk":
      return createAiSdkLanguageModel(config);
    case "grpc": {
      const { createGrpcLanguageModels } = await import("../adapters/language-model/grpc.ts");
      return firstServing(await createGrpcLanguageModels({ ...config, step: "generate" }), ["stream"]);
    }
  }
}

export function wrapModel(model: LanguageModel, config: Config["generate"]): LanguageModel {
  if (config.use === "extractive") return model;
  // A stage apart says itself which models it called.
  const metered = config.use === "grpc" ? model : meteredModel(model);
  return "concurrencyMax" in config ? retriedModel(limitedModel(metered, config), config) : metered;
}
