import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOpenAiLanguageModel } from "../../src/adapters/language-model/openai.ts";
import { Thinking } from "../../src/adapters/language-model/thinking.ts";
import type { GenerateDelta, LanguageModel } from "../../src/ports/language-model.ts";
import { call, collect, until } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { beginStream, chunk, refusing, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { type StubHandler, type StubServer, sendJson } from "../support/stub-server.ts";
import { textOf } from "./language-model.ts";

const REQUEST = generateRequest("연차는 며칠인가요?", ["연차는 15일입니다."]);
let server: StubServer;
beforeAll(async () => {
  server = await stubModel();
});
afterAll(() => server.close());

function open(): LanguageModel {
  return createOpenAiLanguageModel({ baseUrl: server.url, model: "m", contextTokensMax: 8192, temperature: 0 });
}
function stream(handler: StubHandler): AsyncIterable<GenerateDelta> {
  server.answer(handler);
  return open().stream(REQUEST, call());
}
const frame = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const delta = (fields: object, finish_reason: string | null = null) =>
  frame({ id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta: fields, finish_reason }] });

async function failure(items: AsyncIterable<GenerateDelta>): Promise<{ text: string; error: unknown }> {
  const deltas: GenerateDelta[] = [];
  try {
    for await (const item of items) deltas.push(item);
  } catch (error) {
    expect(deltas.map(({ type }) => type)).not.toContain("end");
    return { text: textOf(deltas), error };
  }
  throw new Error("it did not fail");
}

describe("requests that not every endpoint takes", () => {
  test.each([
    // Mistral
    [
      422,
      { detail: [{ type: "extra_forbidden", loc: ["body", "stream_options"], msg: "Extra inputs are not permitted" }] },
    ],
    // Azure OpenAI, older versions of its API
    [400, { error: { message: "Unrecognized request argument supplied: stream_options", code: null } }],
  ])("stream_options refused with %i: asked without, from then on at once", async (status, body) => {
    server.answer((request, response) =>
      "stream_options" in request.body
        ? sendJson(response, body, status)
        : streaming(wholeStream(["네"]))(request, response),
    );
    const asked = server.requests.length;
    const model = open();
    for (const _ of [1, 2]) expect(textOf(await collect(model.stream(REQUEST, call())))).toBe("네");
    expect(server.requests.length - asked).toBe(3);
  });

  test("max_tokens refused: asked with max_completion_tokens, from then on at once", async () => {
    const message =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    server.answer((request, response) =>
      "max_tokens" in request.body
        ? refusing(400, message)(request, response)
        : streaming(wholeStream(["네"]))(request, response),
    );
    const asked = server.requests.length;
    const model = open();
    for (const _ of [1, 2]) await collect(model.stream(REQUEST, call()));
    expect(server.requests.length - asked).toBe(3);
    expect(server.requests.at(-1)?.body).toMatchObject({ max_completion_tokens: REQUEST.maxOutputTokens });
  });

  test("any other 400 is the request's failure", async () => {
    const asked = server.requests.length;
    const { error } = await failure(stream(refusing(400, "context length exceeded")));
    expect(error).toMatchObject({ code: "dependency_failed", retryable: false });
    expect(server.requests.length - asked).toBe(1);
  });

  test("429 says how long to wait", async () => {
    const { error } = await failure(
      stream((request, response) => {
        response.setHeader("retry-after", "3");
        return refusing(429)(request, response);
      }),
    );
    expect(error).toMatchObject({ retryable: true, retryAfterMs: 3000 });
  });
});

describe("reasoning is no part of the answer, but a sign of life", () => {
  test.each([
    ["reasoning_content (DeepSeek, vLLM, SGLang)", { content: null, reasoning_content: "생각" }],
    ["reasoning (OpenRouter, Ollama, Groq)", { content: "", reasoning: "생각" }],
  ])("%s", async (_, thought) => {
    const pieces = [
      delta({ role: "assistant" }),
      delta(thought),
      delta({ content: "15일" }),
      chunk.finish("stop"),
      chunk.done,
    ];
    const deltas = await collect(stream(streaming(pieces, { gapMs: 10 })));
    expect(deltas.map(({ type }) => type)).toEqual(["reasoning", "text", "end"]);
    expect(textOf(deltas)).toBe("15일");
  });

  test("<think> blocks at the beginning, wherever the stream is cut into deltas", async () => {
    const said = "<think>\n한글로 <b>생각</b></think>\n\n답은 <think> 15일 🏝️";
    for (const size of [1, 2, 3, 5, 100]) {
      const parts = said.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
      const pieces = [...parts.map(chunk.text), chunk.finish("stop"), chunk.done];
      expect(textOf(await collect(stream(streaming(pieces, { gapMs: 0 }))))).toBe("답은 <think> 15일 🏝️");
    }
  });

  test("a limit that is reached while it thinks: no text, and the reason", async () => {
    const pieces = [chunk.text("<think>음"), chunk.text("…"), chunk.finish("length"), chunk.done];
    const deltas = await collect(stream(streaming(pieces)));
    expect(textOf(deltas)).toBe("");
    expect(deltas.at(-1)).toEqual({ type: "end", finishReason: "length" });
  });

  test("every way of cutting gives the same, and an answer without thoughts is left as it is", () => {
    const cuttings = fc.tuple(
      fc.array(fc.constantFrom("a", "한", "<", "think", ">", "</think>", "<think>", " ")),
      fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
    );
    fc.assert(
      fc.property(cuttings, ([parts, sizes]) => {
        const said = parts.join("");
        const whole = new Thinking();
        const expected = whole.push(said) + whole.end();
        const cut = new Thinking();
        let got = "";
        for (let at = 0; at < said.length; ) {
          const size = sizes.next().value ?? 1;
          got += cut.push(said.slice(at, at + size));
          at += size;
        }
        got += cut.end();
        expect(got.trimStart()).toBe(expected.trimStart());
        if (!said.trimStart().startsWith("<think>")) expect(got).toBe(said);
        else expect(said.endsWith(got)).toBe(true);
      }),
    );
  });
});

describe("failures as vendors report them within a stream", () => {
  test.each([
    ["OpenAI", chunk.error, true],
    [
      "vLLM: the request's fault",
      frame({ object: "error", message: "bad", type: "BadRequestError", code: 400 }),
      false,
    ],
    ["vLLM: its own", frame({ error: { message: "EngineCore died", type: "InternalServerError", code: 500 } }), true],
    ["TGI", frame({ error: "Request failed during generation: out of memory", error_type: "generation" }), true],
    ["an event named error", `event: error\n${frame({ type: "overloaded_error", message: "Overloaded" })}`, true],
    [
      "OpenRouter",
      frame({ error: { code: 429, message: "limited" }, choices: [{ delta: {}, finish_reason: "error" }] }),
      true,
    ],
    ["finish_reason error", delta({}, "error"), true],
    ["finish_reason abort", delta({}, "abort"), true],
  ])("%s: the text so far, then dependency_failed", async (_, reported, retryable) => {
    const { text, error } = await failure(stream(streaming([chunk.text("반쪽 "), reported, chunk.done])));
    expect(text).toBe("반쪽 ");
    expect(error).toMatchObject({ code: "dependency_failed", retryable });
  });

  test("a tool is called, though none was offered: a failure that another try does not mend", async () => {
    const called = {
      tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "f", arguments: "" } }],
    };
    const { error } = await failure(stream(streaming([delta(called), delta({}, "tool_calls"), chunk.done])));
    expect(error).toMatchObject({ code: "dependency_failed", retryable: false });
  });

  test.each([
    ["an error with status 200", { error: { message: "secret-host is down", code: 500 } }],
    ["a server that does not stream", { object: "chat.completion", choices: [{ message: { content: "네" } }] }],
  ])("one object in place of a stream: %s", async (_, body) => {
    const { error } = await failure(stream((_request, response) => sendJson(response, body)));
    expect(error).toMatchObject({ code: "dependency_failed", retryable: false });
    expect(String(error)).not.toContain("secret-host");
  });
});

describe("ends", () => {
  test("a refusal is what the reader gets to read, as content_filter", async () => {
    const pieces = [
      delta({ refusal: "그 질문에는 " }),
      delta({ refusal: "답할 수 없습니다." }),
      chunk.finish("stop"),
      chunk.done,
    ];
    const deltas = await collect(stream(streaming(pieces)));
    expect(textOf(deltas)).toBe("그 질문에는 답할 수 없습니다.");
    expect(deltas.at(-1)).toMatchObject({ type: "end", finishReason: "content_filter" });
  });

  test.each([
    ["eos_token", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
  ])("finish reason %s is %s", async (sent, expected) => {
    const deltas = await collect(stream(streaming([chunk.text("네"), chunk.finish(sent), chunk.done])));
    expect(deltas.at(-1)).toEqual({ type: "end", finishReason: expected });
  });

  test("[DONE] is the end, though the server leaves the connection open", async () => {
    const startedAt = performance.now();
    const deltas = await collect(stream(streaming(wholeStream(["네"]), { afterwards: "hang" })));
    expect(deltas.at(-1)).toMatchObject({ type: "end", usage: { promptTokens: 11 } });
    expect(performance.now() - startedAt).toBeLessThan(500);
    const abandoned = server.abandonedAt.length;
    await until("the connection is given up", () => server.abandonedAt.length > abandoned);
  });

  test("a connection that breaks once the end has been said takes nothing from the answer", async () => {
    const pieces = [chunk.text("네"), chunk.finish("stop")];
    const deltas = await collect(stream(streaming(pieces, { afterwards: "cut", gapMs: 20 })));
    expect(deltas.at(-1)).toEqual({ type: "end", finishReason: "stop" });
  });

  test("a stream that ends after [DONE] leaves its connection for the next", async () => {
    const ports = new Set<number | undefined>();
    server.answer(async (request, response) => {
      ports.add(response.socket?.remotePort);
      beginStream(response);
      for (const piece of wholeStream(["네"])) response.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.end();
      expect(request.path).toBe("/v1/chat/completions");
    });
    for (let i = 0; i < 4; i++) {
      await collect(open().stream(REQUEST, call()));
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(ports.size).toBe(1);
  });
});
