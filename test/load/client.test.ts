import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type LoadClient } from "../../src/load/client.ts";
import { call, sleep } from "../support/calls.ts";
import { type StubHandler, type StubServer, sendJson, stubServer } from "../support/stub-server.ts";

const END = {
  timings: { embed: 5, search: 1, rerank: 10, generate: 30, save: 1 },
  calls: {},
  firstTextMs: 40,
  totalMs: 50,
  degraded: [],
  cached: false,
  usage: { promptTokens: 10, completionTokens: 4 },
};
const event = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const START = event("answer-start", { requestId: "r", sessionId: "s-1" });
const TEXT = event("text-delta", { text: "연차는 15일" });

const streaming =
  (...pieces: readonly string[]): StubHandler =>
  async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of pieces) response.write(piece);
    response.end();
  };

describe("a reader of answers", () => {
  let server: StubServer;
  let client: LoadClient;
  beforeAll(async () => {
    server = await stubServer(streaming());
    client = createClient({ url: `${server.url}/`, headers: { authorization: "Bearer key" }, timeoutMs: 60_000 });
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });
  const ask = (reader = client, signal = call().signal) => reader.ask({ question: "연차는?" }, signal);

  test("a whole answer: conversation, first text, end, and what the server says of itself", async () => {
    server.answer(streaming(START, TEXT, TEXT, event("answer-end", END)));
    const reply = await ask();
    expect(reply).toMatchObject({ failure: null, sessionId: "s-1", textEvents: 2, end: END });
    expect(reply.firstTextAt).toBeGreaterThanOrEqual(reply.sentAt);
    expect(reply.endedAt).toBeGreaterThanOrEqual(reply.firstTextAt ?? Number.NaN);
    const sent = server.requests.at(-1);
    expect(sent?.path).toBe("/v1/ask");
    expect(sent?.body).toEqual({ question: "연차는?" });
    expect(sent?.headers).toMatchObject({ authorization: "Bearer key", accept: "text/event-stream" });
  });

  test("an answer that arrives byte by byte is the same", async () => {
    server.answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const byte of Buffer.from(START + TEXT + event("answer-end", END))) {
        response.write(Uint8Array.of(byte));
        if (byte > 200) await sleep(0);
      }
      response.end();
    });
    expect(await ask()).toMatchObject({ failure: null, textEvents: 1 });
  });

  test.each([
    ["ends without an end", streaming(START, TEXT), "cut"],
    ["ends before anything", streaming(), "cut"],
    ["ends with what is no JSON", streaming(START, TEXT, "event: answer-end\ndata: {\n\n"), "cut"],
    [
      "breaks off",
      async (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(START + TEXT);
        await sleep(5);
        response.destroy();
      },
      "cut",
    ],
    [
      "ends with an error",
      streaming(START, event("answer-error", { error: { code: "dependency_timeout" } })),
      "dependency_timeout",
    ],
    [
      "refused by the table",
      (_request, response) => sendJson(response, { error: { code: "overloaded", message: "…" } }, 503),
      "overloaded",
    ],
    [
      "refused by somebody else",
      (_request, response) => {
        response.writeHead(502, { "content-type": "text/html" });
        response.end("<h1>Bad gateway</h1>");
      },
      "http_502",
    ],
  ] satisfies [string, StubHandler, string][])("%s: %s", async (_, handler, code) => {
    server.answer(handler);
    const reply = await ask();
    expect(reply.failure).toBe(code);
    expect(reply.end).toBeNull();
  });

  test("nobody listens", async () => {
    const gone = await stubServer(streaming());
    await gone.close();
    const reader = createClient({ url: gone.url, headers: {}, timeoutMs: 1000 });
    expect((await ask(reader)).failure).toBe("connection_failed");
  });

  test("a server that says nothing is given up, and hears of it", async () => {
    server.answer(() => undefined);
    const before = server.abandonedAt.length;
    const reader = createClient({ url: server.url, headers: {}, timeoutMs: 50 });
    expect((await ask(reader)).failure).toBe("client_timeout");
    while (server.abandonedAt.length === before) await sleep(5);
  });

  test("a run that ends leaves answers unfinished", async () => {
    server.answer(() => undefined);
    const controller = new AbortController();
    const asked = ask(client, controller.signal);
    controller.abort();
    expect((await asked).failure).toBe("unfinished");
  });

  test("after the run's end nothing is asked", async () => {
    const before = server.requests.length;
    expect((await ask(client, AbortSignal.abort())).failure).toBe("unfinished");
    expect(server.requests).toHaveLength(before);
  });
});
