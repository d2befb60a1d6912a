import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type {
  EmbeddingModelV2,
  EmbeddingModelV3,
  EmbeddingModelV4,
  LanguageModelV2,
  LanguageModelV3,
  LanguageModelV4,
  RerankingModelV3,
  RerankingModelV4,
} from "@ai-sdk/provider";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { createAiSdkLanguageModel } from "../../src/adapters/language-model/ai-sdk.ts";
import {
  type AiSdkEmbeddingModel,
  type AiSdkLanguageModel,
  type AiSdkRerankingModel,
  isAiSdkModel,
} from "../../src/ai-sdk-models.ts";
import type { GenerateDelta } from "../../src/ports/language-model.ts";
import { call, collect } from "../support/calls.ts";
import { expectAbort, expectFailure, FAULTS } from "../support/faults.ts";
import { generateRequest } from "../support/requests.ts";
import { chunk, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubHandler, StubServer } from "../support/stub-server.ts";
import { languageModelContract, textOf } from "./language-model.ts";

const REQUEST = generateRequest("연차는 며칠인가요?", ["연차는 15일입니다."]);
const SETTINGS = { contextTokensMax: 8192, temperature: 0 };
const provider = (baseURL: string) =>
  createOpenAICompatible({ name: "stub", baseURL, apiKey: "sk-test", includeUsage: true });
const open = (url: string) => createAiSdkLanguageModel({ model: provider(url).chatModel("m"), ...SETTINGS });

languageModelContract("ai-sdk", async () => {
  const server = await stubModel(streaming(wholeStream(["연차는 ", "15일", "입니다 ", "🏝️", " [1]."])));
  return { model: open(server.url), close: () => server.close() };
});

test("models of every version of the specification fit", () => {
  expectTypeOf<LanguageModelV2>().toExtend<AiSdkLanguageModel>();
  expectTypeOf<LanguageModelV3>().toExtend<AiSdkLanguageModel>();
  expectTypeOf<LanguageModelV4>().toExtend<AiSdkLanguageModel>();
  expectTypeOf<EmbeddingModelV2<string>>().toExtend<AiSdkEmbeddingModel>();
  expectTypeOf<EmbeddingModelV3>().toExtend<AiSdkEmbeddingModel>();
  expectTypeOf<EmbeddingModelV4>().toExtend<AiSdkEmbeddingModel>();
  expectTypeOf<RerankingModelV3>().toExtend<AiSdkRerankingModel>();
  expectTypeOf<RerankingModelV4>().toExtend<AiSdkRerankingModel>();
  const model = provider("http://127.0.0.1:1/v1").chatModel("m");
  expect(isAiSdkModel(model, "doStream")).toBe(true);
  expect(isAiSdkModel(model, "doEmbed")).toBe(false);
  for (const other of [null, "gpt-4.1", {}, { ...model, specificationVersion: "v9", doStream: () => null }]) {
    expect(isAiSdkModel(other, "doStream")).toBe(false);
  }
});

describe("a provider of the AI SDK over a real socket", () => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubModel();
  });
  afterAll(() => server.close());
  const stream = (handler: StubHandler, signal?: AbortSignal) => {
    server.answer(handler);
    return open(server.url).stream(REQUEST, call(signal));
  };

  test("sends the messages and the limit; text, reasoning, end and usage come back", async () => {
    const thought = 'data: {"choices":[{"delta":{"reasoning_content":"음"},"finish_reason":null}]}\n\n';
    const deltas = await collect(
      stream(streaming([thought, ...wholeStream(["네, ", "15일"], [120, 9])], { gapMs: 5 })),
    );
    expect(textOf(deltas)).toBe("네, 15일");
    expect(deltas[0]).toEqual({ type: "reasoning", text: "음" });
    expect(deltas.at(-1)).toEqual({
      type: "end",
      finishReason: "stop",
      usage: { promptTokens: 120, completionTokens: 9 },
    });
    const { body, headers } = server.requests.at(-1) ?? {};
    expect(headers?.authorization).toBe("Bearer sk-test");
    expect(body).toMatchObject({ model: "m", max_tokens: REQUEST.maxOutputTokens, temperature: 0, stream: true });
    expect(((body?.messages ?? []) as { content: string }[]).map(({ content }) => content)).toEqual(
      REQUEST.messages.map(({ content }) => content),
    );
  });

  for (const fault of FAULTS.filter(({ name }) => name.includes("4") || name.includes("5"))) {
    test(`3: ${fault.name}`, async () => {
      await expectFailure(collect(stream(fault.handler)), fault);
    });
  }

  test.each([
    ["cut", streaming([chunk.role, chunk.text("반쪽 ")], { afterwards: "cut", gapMs: 20 })],
    ["ended without a reason", streaming([chunk.role, chunk.text("반쪽 ")])],
    ["an error within", streaming([chunk.text("반쪽 "), chunk.error])],
    ["a tool that is called", streaming([chunk.text("반쪽 "), chunk.finish("tool_calls"), chunk.done])],
  ])("2: a stream %s is never a clean end", async (_, handler) => {
    const deltas: GenerateDelta[] = [];
    const reading = (async () => {
      for await (const delta of stream(handler)) deltas.push(delta);
    })();
    await expect(reading).rejects.toMatchObject({ name: "RaglineError", code: "dependency_failed" });
    expect(deltas.map(({ type }) => type)).not.toContain("end");
    expect(textOf(deltas)).toBe("반쪽 ");
  });

  test("4: abort closes the upstream's socket within 100 ms", async () => {
    server.answer(streaming([chunk.text("반쪽")], { afterwards: "hang" }));
    await expectAbort(server, (signal) => collect(open(server.url).stream(REQUEST, call(signal))));
  });
});

test("a model of AI SDK 5, whose parts have other shapes", async () => {
  const parts = [
    { type: "stream-start", warnings: [] },
    { type: "text-delta", id: "1", delta: "15일" },
    { type: "finish", finishReason: "length", usage: { inputTokens: 5, outputTokens: 2, totalTokens: 7 } },
  ];
  const model: AiSdkLanguageModel = {
    specificationVersion: "v2",
    provider: "old",
    modelId: "m",
    doStream: async () => ({ stream: ReadableStream.from(parts) }),
  };
  const deltas = await collect(createAiSdkLanguageModel({ model, ...SETTINGS }).stream(REQUEST, call()));
  expect(deltas.at(-1)).toEqual({
    type: "end",
    finishReason: "length",
    usage: { promptTokens: 5, completionTokens: 2 },
  });
});
