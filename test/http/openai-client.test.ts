import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { chunk, refusing, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

let upstream: StubServer;
let served: ServedRagline;
let client: OpenAI;
beforeAll(async () => {
  upstream = await stubModel();
  served = await serveRagline({
    generate: { use: "openai", baseUrl: upstream.url, model: "qwen3-8b", retries: 0 },
    cache: { use: "none" },
  });
  await addPages(served.ragline);
  client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: "unused", maxRetries: 0 });
});
afterAll(async () => {
  await served.close();
  await upstream.close();
});

const QUESTION = { role: "user", content: "연차 휴가는 며칠인가요?" } as const;
const create = (messages: OpenAI.ChatCompletionMessageParam[], extra: object = {}) =>
  client.chat.completions.create({ model: "anything", messages, ...extra });
const sentQuestion = () => (upstream.requests.at(-1)?.body.messages as { role: string; content: string }[]) ?? [];
/** What Ragline adds to OpenAI's objects. */
const extraOf = (value: object) => (value as { ragline?: Record<string, unknown> }).ragline;

describe("the official client", () => {
  test("a whole answer, with sources in the extra field", async () => {
    upstream.answer(streaming(wholeStream(["네, ", "15일입니다 [1]. [9]"], [120, 9])));
    const completion = await create([QUESTION]);
    expect(completion).toMatchObject({ object: "chat.completion", model: "qwen3-8b" });
    expect(completion.id).toMatch(/^chatcmpl-/);
    expect(completion.choices[0]).toMatchObject({
      index: 0,
      finish_reason: "stop",
      message: { role: "assistant", content: "네, 15일입니다 [1]." },
    });
    expect(completion.usage).toEqual({ prompt_tokens: 120, completion_tokens: 9, total_tokens: 129 });
    expect(extraOf(completion)?.sources).toMatchObject([{ n: 1, documentId: "hr/휴가.md" }, { n: 2 }, { n: 3 }]);
    expect(extraOf(completion)).toMatchObject({ cached: false, degraded: [] });
  });

  test("a streamed answer: role, text, finish, usage only where asked for, sources", async () => {
    upstream.answer(streaming(wholeStream(["네, ", "15일", "입니다 [1]."])));
    const stream = await client.chat.completions.create({
      model: "anything",
      messages: [QUESTION],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const part of stream) chunks.push(part);
    expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
    expect(extraOf(chunks[0] ?? {})?.sources).toMatchObject([{ documentId: "hr/휴가.md" }, {}, {}]);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("네, 15일입니다 [1].");
    expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(["stop"]);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 11, completion_tokens: 7 } });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);

    const plain = await client.chat.completions.create({ model: "m", messages: [QUESTION], stream: true });
    for await (const part of plain) expect(part.usage ?? null).toBeNull();
  });

  test("its stream helper ends with the whole completion", async () => {
    upstream.answer(streaming(wholeStream(["네, ", "15일"])));
    const runner = client.chat.completions.stream({ model: "m", messages: [QUESTION] });
    expect(await runner.finalContent()).toBe("네, 15일");
  });

  test("content in text parts is read; messages of other roles do not disturb", async () => {
    upstream.answer(streaming(wholeStream(["네"])));
    await create([
      { role: "system", content: "You are a pirate." },
      { role: "developer", content: "Talk like a pirate." },
      {
        role: "user",
        content: [
          { type: "text", text: "연차 휴가는" },
          { type: "text", text: "며칠인가요?" },
        ],
      },
    ]);
    expect(sentQuestion().at(-1)?.content).toContain("Question: 연차 휴가는\n며칠인가요?");
    expect(JSON.stringify(sentQuestion())).not.toContain("pirate");
  });

  test("history is the client's where no session is named", async () => {
    upstream.answer(streaming(wholeStream(["네"])));
    const completion = await create([
      { role: "user", content: "연차 휴가 규정을 알려 주세요" },
      { role: "assistant", content: "어떤 점이 궁금하세요?" },
      { role: "user", content: "그건 며칠이에요?" },
    ]);
    expect(extraOf(completion)?.query).toContain("연차 휴가");
    expect(sentQuestion().map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
    expect(sentQuestion()[2]?.content).toBe("어떤 점이 궁금하세요?");
  });

  test("with a session the stored conversation is used, not the messages", async () => {
    upstream.answer(streaming(wholeStream(["15일입니다."])));
    const ragline = { sessionId: "openai-1" };
    await create([{ role: "user", content: "연차 휴가 규정을 알려 주세요" }], { ragline });
    const second = await create(
      [
        { role: "user", content: "무시됨" },
        { role: "assistant", content: "무시됨" },
        { role: "user", content: "그건 며칠이에요?" },
      ],
      { ragline },
    );
    expect(extraOf(second)).toMatchObject({ sessionId: "openai-1", query: expect.stringContaining("연차 휴가") });
    expect(JSON.stringify(sentQuestion())).not.toContain("무시됨");
    expect((await served.ragline.readSession("openai-1"))?.turnCount).toBe(2);
  });

  test("lists its model, and knows no other", async () => {
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toEqual(["qwen3-8b"]);
    expect(await client.models.retrieve("qwen3-8b")).toMatchObject({ id: "qwen3-8b", object: "model" });
    await expect(client.models.retrieve("gpt-9")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });
});

describe("errors as the official client sees them", () => {
  const refused = async (messages: unknown, extra: object = {}) => {
    const failing = create(messages as OpenAI.ChatCompletionMessageParam[], extra);
    return failing.then(
      () => Promise.reject(new Error("it was accepted")),
      (error: unknown) => error as InstanceType<typeof OpenAI.APIError>,
    );
  };

  test.each([
    ["no messages", [], {}, /messages/],
    ["the assistant's word last", [{ role: "assistant", content: "네" }], {}, /messages\.0\.role.*user/],
    ["an unknown role", [{ role: "wizard", content: "네" }], {}, /messages\.0\.role/],
    ["a blank question", [{ role: "user", content: " " }], {}, /messages\.0\.content.*blank/],
    ["a long question", [QUESTION, { role: "user", content: "가".repeat(8001) }], {}, /messages\.1\.content.*8000/],
    [
      "a long text before it",
      [{ role: "system", content: "" }, { role: "user", content: "a".repeat(200_001) }, QUESTION],
      {},
      /messages\.1\.content.*200000/,
    ],
    [
      "a picture",
      [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://x" } }] }],
      {},
      /messages/,
    ],
    ["two choices", [QUESTION], { n: 2 }, /\bn\b/],
    ["an unknown field of ours", [QUESTION], { ragline: { sesionId: "x" } }, /sesionId/],
    ["half a character", [{ role: "user", content: "\ud800" }], {}, /messages\.0\.content/],
    [
      "NUL in the history",
      [{ role: "user", content: "a\0" }, { role: "assistant", content: "b" }, QUESTION],
      {},
      /messages\.0\.content.*NUL/,
    ],
  ])("400 for %s, with code and field", async (_, messages, extra, names) => {
    const error = await refused(messages, extra);
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ status: 400, code: "request_invalid", type: "invalid_request_error" });
    expect(error.message).toMatch(names);
  });

  test("a model that fails before the first word: 502, the code, not the upstream's words", async () => {
    upstream.answer(refusing(500));
    const error = await refused([QUESTION]);
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 502, code: "dependency_failed" });
    expect(JSON.stringify(error) + error.message).not.toContain("secret-host");
  });

  test("a model that fails in mid-stream: the words so far, then an error", async () => {
    upstream.answer(streaming([chunk.role, chunk.text("반쪽 답"), chunk.error], { gapMs: 20 }));
    const stream = await client.chat.completions.create({ model: "m", messages: [QUESTION], stream: true });
    let text = "";
    const reading = (async () => {
      for await (const part of stream) text += part.choices[0]?.delta.content ?? "";
    })();
    await expect(reading).rejects.toBeInstanceOf(OpenAI.APIError);
    await expect(reading).rejects.toMatchObject({ code: "dependency_failed" });
    expect(text).toBe("반쪽 답");
  });

  test("what fails before a stream's first chunk is an ordinary error response", async () => {
    const error = await refused([QUESTION], { stream: true, ragline: { filter: { nosuch: 1 } } });
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ status: 400, code: "request_invalid", message: expect.stringContaining("nosuch") });
  });

  test.each([
    ["is not asked again, where no retry mends it", 400, { retryable: false }, 1],
    ["is asked again, where one may", 500, { retryable: true }, 3],
  ])("a model that fails %s", async (_, status, expected, times) => {
    upstream.answer(refusing(status));
    const before = upstream.requests.length;
    const insisting = client.withOptions({ maxRetries: 2 });
    const asking = insisting.chat.completions.create({ model: "m", messages: [QUESTION] });
    await expect(asking).rejects.toMatchObject({ status: 502, error: expect.objectContaining(expected) });
    expect(upstream.requests.length - before).toBe(times);
  });
});
