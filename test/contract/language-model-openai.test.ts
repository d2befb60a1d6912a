import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOpenAiLanguageModel } from "../../src/adapters/language-model/openai.ts";
import type { GenerateDelta, LanguageModel } from "../../src/ports/language-model.ts";
import { call, collect, until } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { beginStream, chunk, refusing, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubHandler, StubServer } from "../support/stub-server.ts";
import { textOf } from "./language-model.ts";

const REQUEST = generateRequest("연차는 며칠인가요?", ["연차는 15일입니다."]);
let server: StubServer;
beforeAll(async () => {
  server = await stubModel();
});
afterAll(() => server.close());

function stream(handler: StubHandler, signal?: AbortSignal, apiKey?: string): AsyncIterable<GenerateDelta> {
  server.answer(handler);
  return model(apiKey).stream(REQUEST, call(signal));
}

/** Its pieces depend on nothing but on what arrives together. */
function model(apiKey?: string, isBusy = false): LanguageModel {
  const settings = { model: "qwen3-8b", contextTokensMax: 8192, temperature: 0.2 };
  return createOpenAiLanguageModel({ baseUrl: `${server.url}/`, apiKey, ...settings }, { isBusy: () => isBusy });
}

/** What came before the failure, and the failure. */
async function failure(items: AsyncIterable<GenerateDelta>) {
  const deltas: GenerateDelta[] = [];
  try {
    for await (const delta of items) deltas.push(delta);
  } catch (thrown) {
    expect(thrown).toMatchObject({ name: "RaglineError" });
    expect(deltas.map(({ type }) => type)).not.toContain("end");
    return { text: textOf(deltas), error: thrown as Error };
  }
  throw new Error("it did not fail");
}

describe("what goes out", () => {
  test("OpenAI's request, with the key as a bearer token", async () => {
    await collect(stream(streaming(wholeStream(["네"])), undefined, "sk-test"));
    const { path, headers, body } = server.requests.at(-1) ?? {};
    expect(path).toBe("/v1/chat/completions");
    expect(headers?.authorization).toBe("Bearer sk-test");
    expect(body).toEqual({
      model: "qwen3-8b",
      messages: REQUEST.messages,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 256,
      temperature: 0.2,
    });
  });
});

describe("what comes back", () => {
  test("role, text, finish and usage chunks become deltas", async () => {
    const deltas = await collect(stream(streaming(wholeStream(["네, ", "15일", "입니다."], [120, 9]))));
    expect(deltas).toEqual([
      { type: "text", text: "네, " },
      { type: "text", text: "15일" },
      { type: "text", text: "입니다." },
      { type: "end", finishReason: "stop", usage: { promptTokens: 120, completionTokens: 9 } },
    ]);
  });

  test.each([
    ["stop", "stop"],
    ["length", "length"],
    ["content_filter", "content_filter"],
  ])("finish reason %s", async (sent, expected) => {
    const pieces = [chunk.text("네"), chunk.finish(sent), chunk.done];
    expect((await collect(stream(streaming(pieces)))).at(-1)).toEqual({ type: "end", finishReason: expected });
  });

  test("while the loop is busy the first text comes at once, and more of the others together", async () => {
    const texts = Array.from({ length: 60 }, (_, i) => `${i} `);
    server.answer(streaming(wholeStream(texts)));
    const deltas = await collect(model(undefined, true).stream(REQUEST, call()));
    expect(deltas[0]).toEqual({ type: "text", text: "0 " });
    expect(textOf(deltas)).toBe(texts.join(""));
    expect(deltas.at(-1)).toMatchObject({ type: "end", finishReason: "stop" });
    expect(deltas.length).toBeLessThan(texts.length / 2);
  });

  test("every way of cutting the bytes gives the same text", { timeout: 20_000 }, async () => {
    const bytes = Buffer.from(wholeStream(["퇴직금은 ", "14일 🏝️", " 안에"]).join(""));
    for (const size of [1, 2, 3, 7, 64, 1000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const deltas = await collect(stream(streaming(pieces, { gapMs: 0 })));
      expect(textOf(deltas)).toBe("퇴직금은 14일 🏝️ 안에");
      expect(deltas.at(-1)).toMatchObject({ type: "end", usage: { promptTokens: 11 } });
    }
  });

  test("a surrogate pair that is split over two deltas arrives whole", async () => {
    const pieces = [chunk.role, ...["휴가 \ud83c", "\udfdd️ 끝"].map(chunk.text), chunk.finish("stop"), chunk.done];
    const deltas = await collect(stream(streaming(pieces)));
    expect(textOf(deltas)).toBe("휴가 🏝️ 끝");
    for (const delta of deltas) if (delta.type === "text") expect(delta.text.isWellFormed()).toBe(true);
  });

  test("comments, CRLF, odd events and fields that nobody knows do no harm", async () => {
    const pieces = [
      ": keep-alive\n\n",
      "event: ping\r\ndata: {}\r\n\r\n",
      "data:\n\n",
      'data: {"choices":[{"delta":{"reasoning_content":"hm","content":null},"finish_reason":null}]}\n\n',
      ...wholeStream(["네"]),
    ];
    expect(textOf(await collect(stream(streaming(pieces))))).toBe("네");
  });

  test("a stream that ends with [DONE] and without a finish reason is whole", async () => {
    const deltas = await collect(stream(streaming([chunk.text("네"), chunk.done])));
    expect(deltas.at(-1)).toEqual({ type: "end", finishReason: "stop" });
  });

  test("an answer whose end was given is whole, though its connection stays open, or the last line is not ended", async () => {
    const said = [chunk.role, chunk.text("네"), chunk.finish("length")];
    const open = collect(stream(streaming(said, { afterwards: "hang" })));
    expect((await open).at(-1)).toEqual({ type: "end", finishReason: "length" });
    const startedAt = performance.now();
    const alive = Array.from({ length: 20 }, () => ": keep-alive\n\n");
    const dripping = collect(stream(streaming([...said, ...alive], { gapMs: 300, afterwards: "hang" })));
    expect((await dripping).at(-1)).toEqual({ type: "end", finishReason: "length" });
    expect(performance.now() - startedAt).toBeLessThan(4000);
    const last = chunk.text("네") + chunk.finish("length").trimEnd();
    expect(await collect(stream(streaming([chunk.role, last])))).toEqual([
      { type: "text", text: "네" },
      { type: "end", finishReason: "length" },
    ]);
  });

  test("text in a list of parts is read, and thinking in it is not shown", async () => {
    const parts = [
      { type: "thinking", thinking: [{ type: "text", text: "음" }] },
      { type: "text", text: "네" },
    ];
    const deltas = await collect(stream(streaming([chunk.text(parts), chunk.finish("stop"), chunk.done])));
    expect(textOf(deltas)).toBe("네");
  });
});

describe("2, 3: failures", () => {
  test.each([
    ["cut without a finish reason", streaming([chunk.role, chunk.text("반쪽 ")], { afterwards: "cut" })],
    ["ended without a finish reason", streaming([chunk.role, chunk.text("반쪽 ")])],
    ["an error object within the stream", streaming([chunk.role, chunk.text("반쪽 "), chunk.error], { gapMs: 20 })],
    ["an error object in the same packet as text", streaming([chunk.text("반쪽 ") + chunk.error])],
    ["something that is not JSON", streaming([chunk.text("반쪽 "), "data: {oops\n\n"], { gapMs: 20 })],
  ])("%s: the text so far, then dependency_failed", async (_, handler) => {
    const { text, error } = await failure(stream(handler));
    expect(text).toBe("반쪽 ");
    expect(error).toMatchObject({ code: "dependency_failed" });
    expect(error.message).not.toContain("secret-host");
  });

  test.each([
    ["a page", { "content-type": "text/html; charset=utf-8" }, "text/html"],
    ["one object", { "content-type": "application/json" }, "application/json"],
    ["bytes that were not asked for", { "content-type": "text/event-stream", "content-encoding": "gzip" }, "encoding"],
    ["text that is no event", { "content-type": "text/plain" }, "no event"],
  ])("%s instead of a stream: it is said", async (_, headers, said) => {
    const { error } = await failure(stream((_, response) => void response.writeHead(200, headers).end('{"a": 1}')));
    expect(error).toMatchObject({ code: "dependency_failed", message: expect.stringContaining(said) });
  });

  test("one event that goes on and on: it fails long before the upstream ends, which is let go", async () => {
    const megabyte = "y".repeat(1_000_000);
    let sent = 0;
    const handler: StubHandler = async (_request, response) => {
      beginStream(response);
      response.write(`${chunk.text("반쪽 ")}data: {"choices":[{"delta":{"content":"`);
      for (; sent < 40 && !response.destroyed; sent++) await new Promise((done) => response.write(megabyte, done));
      response.end();
    };
    const { text, error } = await failure(stream(handler));
    expect(text).toBe("반쪽 ");
    expect(error).toMatchObject({ code: "dependency_failed", retryable: false });
    expect(error.message).toContain("4194304 characters");
    expect(sent).toBeLessThan(30);
  });

  test("cut in the middle of a Korean character: no half character, no end", async () => {
    const bytes = Buffer.from(chunk.text("반쪽 ") + chunk.text("한글"));
    const end = bytes.indexOf(Buffer.from("글")) + 1;
    const { text } = await failure(stream(streaming([bytes.subarray(0, end)], { afterwards: "cut", gapMs: 20 })));
    expect(text).toBe("반쪽 ");
  });

  test.each([
    [400, false],
    [401, false],
    [404, false],
    [429, true],
    [500, true],
    [503, true],
  ])(
    "status %i: dependency_failed, worth another try: %s, the upstream's words stay inside",
    async (status, retryable) => {
      const { error } = await failure(stream(refusing(status)));
      expect(error).toMatchObject({ code: "dependency_failed", retryable });
      expect(error.message).not.toContain("secret-host");
      expect(String((error.cause as Error | undefined)?.message)).toContain("secret-host");
    },
  );

  test("nobody listens", async () => {
    const gone = await stubModel();
    await gone.close();
    const settings = { baseUrl: gone.url, model: "m", contextTokensMax: 8192, temperature: 0 };
    const { error } = await failure(createOpenAiLanguageModel(settings).stream(REQUEST, call()));
    expect(error).toMatchObject({ code: "dependency_failed", retryable: true });
  });
});

describe("4: the upstream call is torn down", () => {
  const hangs: readonly (readonly [string, StubHandler])[] = [
    ["before the headers", () => undefined],
    ["after the headers", (_request, response) => beginStream(response)],
    ["in mid-stream", streaming([chunk.role, chunk.text("반쪽")], { afterwards: "hang" })],
  ];
  test.each(hangs)("a hang %s: abort closes the upstream's socket within 100 ms", async (_, handler) => {
    const asked = server.requests.length;
    const abandoned = server.abandonedAt.length;
    const controller = new AbortController();
    const pending = failureOrError(stream(handler, controller.signal));
    await until("the upstream has the call", () => server.requests.length > asked);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const abortedAt = performance.now();
    controller.abort();
    expect(await pending).toBeInstanceOf(Error);
    await until("the socket closes", () => server.abandonedAt.length > abandoned);
    expect((server.abandonedAt.at(-1) ?? Number.POSITIVE_INFINITY) - abortedAt).toBeLessThan(100);
  });

  test("a reader who stops in mid-stream closes it too, without an unhandled error", async () => {
    const abandoned = server.abandonedAt.length;
    for await (const delta of stream(streaming([chunk.role, chunk.text("반쪽")], { afterwards: "hang" }))) {
      expect(delta).toEqual({ type: "text", text: "반쪽" });
      break;
    }
    const stoppedAt = performance.now();
    await until("the socket closes", () => server.abandonedAt.length > abandoned);
    expect(performance.now() - stoppedAt).toBeLessThan(100);
  });
});

async function failureOrError(items: AsyncIterable<GenerateDelta>): Promise<unknown> {
  try {
    return await collect(items);
  } catch (error) {
    return error;
  }
}
