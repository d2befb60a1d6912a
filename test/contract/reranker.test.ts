import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { createOnnxReranker } from "../../src/adapters/reranker/onnx.ts";
import { createTeiReranker } from "../../src/adapters/reranker/tei.ts";
import { batchedReranker } from "../../src/wrap/batched.ts";
import { call, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { writeOverlapReranker } from "../support/onnx/models.ts";
import { refusing } from "../support/stub-model.ts";
import { type StubHandler, type StubServer, sendJson, stubServer } from "../support/stub-server.ts";
import { rerankerContract } from "./reranker.ts";

/** Answers as text-embeddings-inference's `/rerank` does: best first, scores by a stand-in that counts shared words. */
const rerank: StubHandler = ({ body }, response) => {
  const stems = String(body.query)
    .split(/\s+/)
    .map((word) => word.slice(0, 2));
  const scores = (body.texts as string[]).map((text, index) => {
    return { index, score: stems.filter((stem) => stem && text.toLowerCase().includes(stem)).length / 10 };
  });
  sendJson(
    response,
    scores.toReversed().sort((a, b) => b.score - a.score),
  );
};

rerankerContract("lexical", async () => {
  return { reranker: createLexicalReranker(), calls: () => 0, close: async () => undefined };
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
rerankerContract("tei", async () => {
  const server = await stubServer(rerank);
  const reranker = createTeiReranker({ baseUrl: server.url });
  return { reranker, calls: () => server.requests.length, close: () => server.close() };
});

describe("tei reranker over a real socket", () => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubServer(rerank);
  });
  afterAll(() => server.close());
  const reranking = (texts: readonly string[], signal?: AbortSignal) =>
    createTeiReranker({ baseUrl: `${server.url}/`, apiKey: "key" }).rerank("휴가", texts, call(signal));

  test("sends the query, the texts, leave to cut them, and the key", async () => {
    server.answer(rerank);
    await reranking(["가", "나"]);
    const sent = server.requests.at(-1);
    expect(sent).toMatchObject({ path: "/rerank", body: { query: "휴가", texts: ["가", "나"], truncate: true } });
    expect(sent?.headers.authorization).toBe("Bearer key");
  });

  test.each([
    [401, false],
    [413, false],
    [429, true],
    [500, true],
  ])("4: status %i rejects; worth another try: %s", async (status, retryable) => {
    server.answer(refusing(status));
    await expect(reranking(["가"])).rejects.toMatchObject({ code: "dependency_failed", retryable });
  });

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
    ["another shape", { results: [] }],
  ])("2, 4: an answer that does not fit the texts rejects: %s", async (_, answer) => {
    server.answer((_request, response) => sendJson(response, answer));
    await expect(reranking(["가", "나"])).rejects.toMatchObject({ code: "dependency_failed" });
  });

  test("abort ends the call at once, here and at the endpoint", async () => {
    server.answer(() => undefined);
    const asked = server.requests.length;
    const controller = new AbortController();
    const pending = reranking(["가"], controller.signal).catch((error: unknown) => error);
    await until("the endpoint has the call", () => server.requests.length > asked);
    const abortedAt = performance.now();
    controller.abort();
    expect(await pending).toBeInstanceOf(Error);
    await until("the socket closes", () => server.abandonedAt.length > 0);
    expect((server.abandonedAt.at(-1) ?? Number.POSITIVE_INFINITY) - abortedAt).toBeLessThan(100);
  });
});
