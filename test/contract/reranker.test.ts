import { createCohere } from "@ai-sdk/cohere";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAiSdkReranker } from "../../src/adapters/reranker/ai-sdk.ts";
import { createCohereReranker } from "../../src/adapters/reranker/cohere.ts";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { createOnnxReranker } from "../../src/adapters/reranker/onnx.ts";
import { createSimulatedReranker } from "../../src/adapters/reranker/simulated.ts";
import { createTeiReranker } from "../../src/adapters/reranker/tei.ts";
import type { Reranker } from "../../src/ports/reranker.ts";
import { batchedReranker } from "../../src/wrap/batched.ts";
import { call } from "../support/calls.ts";
import { expectAbort, expectFailure, FAULTS } from "../support/faults.ts";
import { temporaryFolder } from "../support/folder.ts";
import { writeOverlapReranker } from "../support/onnx/models.ts";
import { BATCHES } from "../support/simulated.ts";
import { cohereRerank, tei, teiRerank } from "../support/stub-rerank.ts";
import { type StubHandler, type StubServer, sendJson, stubServer } from "../support/stub-server.ts";
import { rerankerContract } from "./reranker.ts";

rerankerContract("lexical", async () => {
  return { reranker: createLexicalReranker(), calls: () => 0, close: async () => undefined };
});
rerankerContract("simulated", async () => {
  return { reranker: createSimulatedReranker(BATCHES), calls: () => 0, close: async () => undefined };
});
for (const isBatched of [false, true]) {
  rerankerContract(isBatched ? "onnx, batched" : "onnx", async () => {
    const folder = temporaryFolder();
    const words = ["severance", "pay", "due", "is", "the", "car", "park", "below", "building", "within", "days"];
    const onnx = createOnnxReranker({
      model: writeOverlapReranker(folder.file("overlap"), { words }),
      cacheFolder: folder.file("hub"),
      batchTimeoutMs: 30_000,
      threads: 1,
    });
    const reranker = isBatched ? batchedReranker(onnx, { batchTokensMax: 128, queueMax: 64 }) : onnx;
    return {
      reranker,
      calls: () => onnx.counts?.().batches ?? 0,
      async close() {
        await reranker.close?.();
        folder.remove();
      },
    };
  });
}
const counter = { name: "characters", count: (text: string) => text.length };
type Open = (url: string) => Reranker;
const openTei: Open = (url) => createTeiReranker({ baseUrl: `${url}/`, apiKey: "key" });
const openCohere: Open = (url) =>
  createCohereReranker({ baseUrl: `${url}/v1/`, apiKey: "key", model: "rerank-v3.5", inputTokensMax: 400, counter });
const openAiSdk: Open = (url) =>
  createAiSdkReranker({ model: createCohere({ baseURL: `${url}/v2`, apiKey: "key" }).reranking("rerank-v3.5") });
const REMOTE: readonly (readonly [string, Open, StubHandler])[] = [
  ["tei", openTei, tei(teiRerank)],
  ["cohere: Cohere", openCohere, cohereRerank("cohere")],
  ["cohere: Jina", openCohere, cohereRerank("jina")],
  ["cohere: vLLM", openCohere, cohereRerank("vllm")],
  ["ai-sdk", openAiSdk, cohereRerank("cohere")],
];
for (const [name, open, handler] of REMOTE) {
  rerankerContract(name, async () => {
    const server = await stubServer(handler);
    return { reranker: open(server.url), calls: () => server.requests.length, close: () => server.close() };
  });
}

describe("tei reranker", () => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubServer(tei(teiRerank));
  });
  afterAll(() => server.close());

  test("sends the query, the texts, leave to cut them, and the key", async () => {
    await openTei(server.url).rerank("휴가", ["가", "나"], call());
    const sent = server.requests.at(-1);
    expect(sent).toMatchObject({ path: "/rerank", body: { query: "휴가", texts: ["가", "나"], truncate: true } });
    expect(sent?.headers.authorization).toBe("Bearer key");
  });

  test("asks once what a call may hold, and keeps to it; batches are one ranking", async () => {
    const asked = server.requests.length;
    const reranker = openTei(server.url);
    const texts = Array.from({ length: 20 }, (_, i) => (i === 19 ? "연차 휴가" : `글 ${i}`));
    const [best] = await reranker.rerank("연차 휴가", texts, call());
    expect(best?.index).toBe(19);
    await reranker.rerank("연차", ["가"], call());
    const sent = server.requests.slice(asked);
    expect(sent.map(({ path }) => path)).toEqual(["/info", "/rerank", "/rerank", "/rerank", "/rerank"]);
    expect(sent.slice(1).map(({ body }) => (body.texts as string[]).length)).toEqual([8, 8, 4, 1]);
  });
});

describe("cohere reranker", () => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubServer(cohereRerank("vllm"));
  });
  afterAll(() => server.close());

  test("sends model, query and documents, cut to the limit; passes on the tokens read", async () => {
    server.answer(cohereRerank("vllm"));
    const tokens: number[] = [];
    const options = { ...call(), onTokens: (read: number) => void tokens.push(read) };
    await openCohere(server.url).rerank("휴가", ["가", "나".repeat(1000)], options);
    const { path, body, headers } = server.requests.at(-1) ?? {};
    expect(path).toBe("/v1/rerank");
    expect(headers?.authorization).toBe("Bearer key");
    expect(body).toMatchObject({ model: "rerank-v3.5", query: "휴가", top_n: 2, return_documents: false });
    const [, long = ""] = (body?.documents ?? []) as string[];
    expect(long.length).toBeLessThanOrEqual(400);
    expect(long.length).toBeGreaterThan(380);
    expect(tokens).toEqual([77]);
  });

  test("a field that the endpoint does not take is left out, from then on at once", async () => {
    server.answer((request, response) =>
      "return_documents" in request.body
        ? sendJson(response, { message: "unknown field: parameter 'return_documents' is not a valid field" }, 400)
        : cohereRerank("cohere")(request, response),
    );
    const asked = server.requests.length;
    const reranker = openCohere(server.url);
    for (const _ of [1, 2]) expect(await reranker.rerank("휴가", ["가", "나"], call())).toHaveLength(2);
    expect(server.requests.length - asked).toBe(3);
  });
});

describe.each(REMOTE.filter(([name]) => !name.includes(": J")))("%s over a real socket", (_name, open, works) => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubServer(works);
  });
  afterAll(() => server.close());
  const isTei = open === openTei;
  const answering = (handler: StubHandler) => server.answer(isTei ? tei(handler) : handler);
  const reranking = (texts: readonly string[], signal?: AbortSignal) =>
    open(server.url).rerank("휴가", texts, call(signal));
  const shaped = (scores: readonly { index: number; score?: number }[]) =>
    isTei ? scores : { results: scores.map(({ index, score }) => ({ index, relevance_score: score })), meta: {} };

  for (const fault of FAULTS) {
    test(`4: ${fault.name}`, async () => {
      answering(fault.handler);
      await expectFailure(reranking(["가", "나"]), fault);
    });
  }

  test.each([
    ["one too few", [{ index: 0, score: 1 }]],
    [
      "one twice",
      [
        { index: 0, score: 1 },
        { index: 0, score: 0 },
      ],
    ],
    [
      "out of range",
      [
        { index: 0, score: 1 },
        { index: 9, score: 0 },
      ],
    ],
    ["no score", [{ index: 0 }, { index: 1 }]],
    [
      "NaN, as JSON has it",
      [
        { index: 0, score: 1 },
        { index: 1, score: Number.NaN },
      ],
    ],
    ["none", []],
  ])("2, 4: an answer that does not fit the texts rejects: %s", async (_, scores) => {
    answering((_request, response) => sendJson(response, shaped(scores)));
    await expect(reranking(["가", "나"])).rejects.toMatchObject({ code: "dependency_failed" });
  });

  test("abort ends the call at once, here and at the endpoint", async () => {
    answering(() => undefined);
    await expectAbort(server, (signal) => reranking(["가"], signal));
  });
});
