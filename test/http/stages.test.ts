import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer } from "../../src/http/server.ts";
import { type ConfigInput, createRagline } from "../../src/index.ts";
import { sleep, until } from "../support/calls.ts";
import { eventsOf, expectError, postJson, textOf } from "../support/http.ts";
import { addPages, openRagline, serveRagline } from "../support/ragline.ts";
import { DIMENSIONS, embeddings } from "../support/stub-embeddings.ts";
import { chunk, refusing, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { tei } from "../support/stub-rerank.ts";
import { type StubServer, sendJson, stubServer } from "../support/stub-server.ts";

const question = "연차 휴가는 며칠인가요?";
let embedder: StubServer;
let reranker: StubServer;
let model: StubServer;
beforeAll(async () => {
  embedder = await stubServer(embeddings);
  reranker = await stubServer(
    tei(({ body }, response) =>
      sendJson(
        response,
        (body.texts as string[]).map((_, index) => ({ index, score: index })),
      ),
    ),
  );
  model = await stubModel();
});
afterAll(() => Promise.all([embedder, reranker, model].map((server) => server.close())));

/** Every stage behind a socket. */
function apart(): ConfigInput {
  return {
    embed: { use: "openai", baseUrl: `${embedder.url}/v1`, model: "e5", dimensions: DIMENSIONS, timeoutMs: 150 },
    rerank: { use: "tei", baseUrl: reranker.url, timeoutMs: 150 },
    generate: {
      use: "openai",
      baseUrl: model.url,
      model: "m",
      retries: 1,
      silenceTimeoutMs: 200,
      // Each test fails it anew.
      breaker: { callsMin: 1000 },
    },
    cache: { use: "none" },
    server: { timeoutMs: 1000 },
  } as ConfigInput;
}

describe("stages behind sockets", () => {
  let served: Awaited<ReturnType<typeof serveRagline>>;
  beforeAll(async () => {
    served = await serveRagline(apart());
    await addPages(served.ragline);
  });
  afterAll(() => served.close());
  // A question that was asked has its vector in memory.
  const ask = async (asked = question) => eventsOf(await postJson(`${served.url}/v1/ask`, { question: asked }));

  test("all well: the reranker's order, the model's words, nothing degraded", async () => {
    const events = await ask();
    expect(events.at(-1)).toMatchObject({ type: "answer-end", degraded: [], usage: { promptTokens: 11 } });
    expect(textOf(events)).toBe("네, 15일입니다 [1].");
    expect(events.at(-1)).toMatchObject({
      calls: {
        embed: { calls: 1, inputTokens: 8, outputTokens: 0, ms: expect.any(Number) },
        rerank: { calls: 1, inputTokens: expect.any(Number), outputTokens: 0, ms: expect.any(Number) },
        generate: { calls: 1, inputTokens: 11, outputTokens: 7, ms: expect.any(Number) },
      },
    });
    const [, list] = events;
    expect(list?.type === "source-list" && list.sources.map(({ score }) => score)).toEqual([2, 1, 0]);
  });

  test("a hanging embedder and a failing reranker: degraded, within their limits", async () => {
    embedder.answer(() => undefined);
    reranker.answer(refusing(500));
    const startedAt = performance.now();
    const events = await ask("병가는 며칠인가요?");
    expect(performance.now() - startedAt).toBeLessThan(700);
    expect(events.at(-1)).toMatchObject({
      type: "answer-end",
      degraded: [
        { step: "embed", reason: "dependency_timeout" },
        { step: "rerank", reason: "dependency_failed" },
      ],
    });
    embedder.answer(embeddings);
  });

  test("a hanging embedder does not hang who adds a document: an error within the request's limit", async () => {
    embedder.answer(() => undefined);
    const adding = postJson(`${served.url}/v1/documents`, { id: "slow", text: "글" });
    const response = await Promise.race([adding, sleep(2500)]);
    embedder.answer(embeddings);
    if (!response) throw new Error("still waiting after 2.5 s, with server.timeoutMs 1000");
    await expectError(response, "dependency_timeout");
  });

  test("a model that refuses once is asked again; one that refuses twice is an error event", async () => {
    let refusals = 1;
    model.answer((request, response) => {
      if (refusals-- > 0) return refusing(503)(request, response);
      return streaming(wholeStream(["네"]))(request, response);
    });
    expect(textOf(await ask())).toBe("네");
    model.answer(refusing(429));
    const events = await ask();
    expect(events.at(-1)).toMatchObject({
      type: "answer-error",
      error: { code: "dependency_failed", step: "generate", retryable: true },
    });
    expect(JSON.stringify(events)).not.toContain("secret-host");
  });

  test("an upstream whose error never ends is read to a bound: the error is there at once", async () => {
    let sent = 0;
    model.answer((_, response) => {
      response.writeHead(500);
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(65_536))) sent += 65_536;
      };
      response.on("drain", more);
      more();
    });
    const startedAt = performance.now();
    expect((await ask()).at(-1)).toMatchObject({ type: "answer-error", error: { code: "dependency_failed" } });
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test("a model that never stops is cut at its limit", async () => {
    model.answer(streaming(wholeStream(Array.from({ length: 400 }, () => "가나다라 ".repeat(50)))));
    const events = await ask();
    expect(events.at(-1)).toMatchObject({ type: "answer-end", finishReason: "length" });
    expect(textOf(events).length).toBeLessThanOrEqual(20 * 1024);
  });

  test("a model's nonsense about its usage is not passed on", async () => {
    const usage = 'data: {"choices":[],"usage":{"prompt_tokens":"x","completion_tokens":-5}}\n\n';
    model.answer(streaming([...wholeStream(["네"]).slice(0, -1), usage, "data: [DONE]\n\n"]));
    const end = (await ask()).at(-1);
    if (end?.type !== "answer-end") throw new Error("no end");
    expect(end.usage.completionTokens).toBeGreaterThanOrEqual(0);
    expect(Number.isInteger(end.usage.promptTokens)).toBe(true);
  });

  test("a model that falls silent in mid-answer: the words so far, then the error", async () => {
    model.answer(streaming([chunk.role, chunk.text("반쪽")], { afterwards: "hang" }));
    const abandoned = model.abandonedAt.length;
    const events = await ask();
    expect(textOf(events)).toBe("반쪽");
    expect(events.at(-1)).toMatchObject({ type: "answer-error", error: { code: "dependency_timeout" } });
    await until("the model's socket closes", () => model.abandonedAt.length > abandoned);
  });

  test("closing waits for the answer that is running", async () => {
    const words = Array.from({ length: 20 }, (_, i) => ` 낱말${i}`);
    model.answer(streaming(wholeStream(words), { gapMs: 10 }));
    const app = await createServer(served.ragline);
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    const response = await postJson(`${url}/v1/ask`, { question });
    const closing = app.close();
    const events = await eventsOf(response);
    expect(textOf(events)).toBe(words.join(""));
    await closing;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });
});

test("an index made in another vector space: not ready, and asking is refused, both naming both", async () => {
  const first = await openRagline({ embed: { use: "hashing", dimensions: 64 } } as ConfigInput);
  await addPages(first.ragline);
  const { config } = first.ragline;
  const ragline = await createRagline({
    ...config,
    embed: { ...config.embed, dimensions: 128 } as typeof config.embed,
  });
  expect(await ragline.ready()).toMatchObject({
    ready: false,
    missing: [expect.stringMatching(/hashing\/64.*hashing\/128/)],
  });
  const message = expect.stringMatching(/hashing\/64.*hashing\/128/);
  await expect(ragline.answer({ question })).rejects.toMatchObject({ code: "conflict", step: "search", message });
  await expect(ragline.addDocument({ id: "a", text: "b" })).rejects.toMatchObject({ code: "conflict", message });
  await ragline.close();
  await first.close();
});
