import { createCohere } from "@ai-sdk/cohere";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../src/index.ts";
import { addPages, openRagline } from "./support/ragline.ts";
import { DIMENSIONS, orderedEmbeddings } from "./support/stub-embeddings.ts";
import { stubModel } from "./support/stub-model.ts";
import { cohereRerank } from "./support/stub-rerank.ts";
import { type StubServer, stubServer } from "./support/stub-server.ts";

let servers: StubServer[];
beforeAll(async () => {
  servers = await Promise.all([stubServer(orderedEmbeddings), stubServer(cohereRerank("cohere")), stubModel()]);
});
afterAll(() => Promise.all(servers.map((server) => server.close())));

test("models of the AI SDK in all three places answer a question, and are counted", async () => {
  const [embedder, reranker, model] = servers.map(({ url }) => url);
  const openAi = (baseURL: string) => createOpenAICompatible({ name: "stub", baseURL, includeUsage: true });
  const { ragline, close } = await openRagline({
    embed: { use: "ai-sdk", model: openAi(`${embedder}/v1`).embeddingModel("e5"), dimensions: DIMENSIONS },
    rerank: { use: "ai-sdk", model: createCohere({ baseURL: `${reranker}/v2`, apiKey: "k" }).reranking("rerank-v3.5") },
    generate: { use: "ai-sdk", model: openAi(`${model}`).chatModel("m") },
  });
  await addPages(ragline);
  const answer = await ragline.answer({ question: "연차 휴가는 며칠인가요?" });
  expect(answer.text).toBe("네, 15일입니다 [1].");
  expect(answer.degraded).toEqual([]);
  expect(answer.calls).toMatchObject({
    embed: { calls: 1, inputTokens: 8 },
    rerank: { calls: 1 },
    generate: { calls: 1, inputTokens: 11, outputTokens: 7 },
  });
  const again = await ragline.answer({ question: "연차 휴가는 며칠인가요?" });
  expect([again.cached, again.calls]).toEqual([true, {}]);
  expect((await ragline.status()).stages).toMatchObject({ embed: `stub.embedding/e5/${DIMENSIONS}` });
  await close();
});

test("a name in place of a model object is a problem of the configuration, named", () => {
  const generate = { use: "ai-sdk", model: "gpt-4.1" };
  expect(() => parseConfig({ generate })).toThrow(/generate\.model: must be a model object of the AI SDK/);
});
