import { availableParallelism } from "node:os";
import { createStaticEmbedder } from "../adapters/embedder/static.ts";
import { createAiSdkLanguageModel } from "../adapters/language-model/ai-sdk.ts";
import { createExtractiveModel } from "../adapters/language-model/extractive.ts";
import { createLlamaLanguageModel } from "../adapters/language-model/llama.ts";
import { createOpenAiLanguageModel } from "../adapters/language-model/openai.ts";
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import { limitedModel } from "../wrap/limited.ts";
import { meteredModel } from "../wrap/metered.ts";
import { retriedModel } from "../wrap/retried.ts";

export async function chooseModel(config: Config["generate"], embedder: Embedder): Promise<LanguageModel> {
  switch (config.use) {
    case "extractive":
      return createExtractiveModel({ sentencesMax: config.sentences, embedder: localEmbedder(embedder) });
    case "openai":
      return createOpenAiLanguageModel(config);
    case "llama": {
      const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / 2));
      return createLlamaLanguageModel({ ...config, threads });
    }
    case "ai-sdk":
      return createAiSdkLanguageModel(config);
  }
}

/** Quoting compares sentences, many a question: with the table in this process, never over a network. */
function localEmbedder(embedder: Embedder): Embedder {
  return embedder.model.startsWith("static-ko-en") ? embedder : createStaticEmbedder();
}

export function wrapModel(model: LanguageModel, config: Config["generate"]): LanguageModel {
  if (config.use === "extractive") return model;
  const metered = meteredModel(model);
  return "concurrencyMax" in config ? retriedModel(limitedModel(metered, config), config) : metered;
}
