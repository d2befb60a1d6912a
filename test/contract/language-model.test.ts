import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { createExtractiveModel } from "../../src/adapters/language-model/extractive.ts";
import { createOpenAiLanguageModel } from "../../src/adapters/language-model/openai.ts";
import { createSimulatedModel } from "../../src/adapters/language-model/simulated.ts";
import { MODEL } from "../support/simulated.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { languageModelContract } from "./language-model.ts";

languageModelContract("extractive", async () => ({
  model: createExtractiveModel({ sentencesMax: 4, embedder: createStaticEmbedder() }),
  close: async () => undefined,
}));

languageModelContract("simulated", async () => ({
  model: createSimulatedModel({ ...MODEL, tokens: 24 }),
  close: async () => undefined,
}));

languageModelContract("openai", async () => {
  const server = await stubModel(streaming(wholeStream(["연차는 ", "15일", "입니다 ", "🏝️", " [1]."])));
  const settings = { model: "qwen3-8b", contextTokensMax: 8192, temperature: 0 };
  return { model: createOpenAiLanguageModel({ baseUrl: server.url, ...settings }), close: () => server.close() };
});
