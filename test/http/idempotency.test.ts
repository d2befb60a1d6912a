import { randomUUID } from "node:crypto";
import { request } from "node:http";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerSchema, errorSchema } from "../../src/http/responses.ts";
import { expectError, postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { chunk, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

const question = "연차 휴가는 며칠인가요?";
const messages = [{ role: "user", content: question }] as const;
let upstream: StubServer;
let served: ServedRagline;
beforeAll(async () => {
  upstream = await stubModel();
  served = await serveRagline({
    generate: { use: "openai", baseUrl: upstream.url, model: "m", retries: 0 },
    cache: { use: "none" },
  });
  await addPages(served.ragline);
});
afterAll(async () => {
  await served.close();
  await upstream.close();
});

/** With a header as it is, which `fetch` would refuse. */
function statusOf(path: string, body: object, key: string | string[]): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "idempotency-key": key };
    const sent = request({ port: served.port, path, method: "POST", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    sent.on("error", reject).end(JSON.stringify(body));
  });
}

describe.each([
  ["/v1/ask", { question }],
  ["/v1/chat/completions", { messages }],
])("the header idempotency-key: %s", (path, body) => {
  test.each([
    ["empty", ""],
    ["longer than 128 characters", "k".repeat(129)],
    ["not ASCII", "cl\u00e9"],
    ["with a tab in it", "a\tb"],
  ])("%s: refused, naming header and limit", async (_what, key) => {
    const asked = upstream.requests.length;
    const refused = await statusOf(path, body, key);
    expect(refused.status).toBe(400);
    const { error } = errorSchema.loose().parse(refused.body);
    expect(error).toMatchObject({ code: "request_invalid", retryable: false });
    expect(error.message).toMatch(/^idempotency-key: .*1 to 128 printable ASCII characters/);
    expect(upstream.requests).toHaveLength(asked);
  });
});

test.each([
  ["/v1/ask", { question }],
  ["/v1/chat/completions", { messages }],
])("sent twice it is refused, rather than read as one key: %s", async (path, body) => {
  const refused = await statusOf(path, body, ["a".repeat(100), "b".repeat(100)]);
  expect(refused).toMatchObject({ status: 400, body: { error: { message: "idempotency-key: must be sent once" } } });
});

test("what is sent again is what the schema says, and another question is a conflict", async () => {
  const headers = { accept: "application/json", "idempotency-key": randomUUID() };
  const ask = (body: object) => postJson(`${served.url}/v1/ask`, body, headers);
  const first = answerSchema.strict().parse(await (await ask({ question })).json());
  const again = answerSchema.strict().parse(await (await ask({ question })).json());
  expect(first.sources[0]).toMatchObject({ text: expect.any(String), score: expect.any(Number) });
  expect(again).toMatchObject({ text: first.text, sessionId: first.sessionId, cached: true });
  for (const source of again.sources) expect(source).not.toHaveProperty("text");
  const refused = await ask({ question: "병가는 며칠인가요?" });
  expect(refused.headers.get("x-should-retry")).toBe("false");
  expect(refused.status).toBe(409);
  const { error } = errorSchema.parse(await refused.json());
  expect(error).toMatchObject({ code: "conflict", retryable: false, step: "session" });
  expect(error.message).toMatch(/idempotency-key/);
});

test("without the header the same question is another turn", async () => {
  const body = { question, sessionId: "plain" };
  for (let i = 0; i < 2; i++) await postJson(`${served.url}/v1/ask`, body, { accept: "application/json" });
  expect((await served.ragline.readSession("plain"))?.turnCount).toBe(2);
});

test("it has no effect on other routes", async () => {
  const response = await postJson(`${served.url}/v1/search`, { query: "휴가" }, { "idempotency-key": "k".repeat(129) });
  expect(response.status).toBe(200);
  await expectError(
    await postJson(`${served.url}/v1/search`, {}, { "idempotency-key": "k" }),
    "request_invalid",
    /query/,
  );
});

describe("OpenAI's client", () => {
  const create = (extra: object, key: string, stream = false) => {
    const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: "unused", maxRetries: 0 });
    const body = { model: "m", messages: [...messages], stream, ...extra };
    return client.chat.completions.create(body, { headers: { "idempotency-key": key } });
  };

  test("a stored conversation: one turn, sent again whole or as a stream", async () => {
    const [key, ragline] = [randomUUID(), { sessionId: "openai" }];
    const first = (await create({ ragline }, key)) as OpenAI.ChatCompletion;
    const asked = upstream.requests.length;
    const again = (await create({ ragline }, key)) as OpenAI.ChatCompletion;
    expect(again.choices).toEqual(first.choices);
    expect(again).toMatchObject({ usage: { total_tokens: 0 }, ragline: { cached: true, sessionId: "openai" } });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    const stream = await create({ ragline }, key, true);
    for await (const chunk of stream as AsyncIterable<OpenAI.ChatCompletionChunk>) chunks.push(chunk);
    const content = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    expect(content).toBe(first.choices[0]?.message.content);
    expect(upstream.requests).toHaveLength(asked);
    expect((await served.ragline.readSession("openai"))?.turnCount).toBe(1);
    await expect(create({ ragline, messages: [{ role: "user", content: "병가는?" }] }, key)).rejects.toMatchObject({
      status: 409,
      code: "conflict",
    });
  });

  test("its own retries are the same turn", async () => {
    upstream.answer((request, response) => {
      upstream.answer(streaming(wholeStream(["15일입니다 [1]."])));
      return streaming([chunk.role, chunk.text("연차는")], { afterwards: "cut" })(request, response);
    });
    const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: "unused", maxRetries: 1 });
    const body = { model: "m", messages: [...messages], ragline: { sessionId: "retried" } };
    const answer = await client.chat.completions.create(body, { headers: { "idempotency-key": randomUUID() } });
    expect(answer.choices[0]?.message.content).toBe("15일입니다 [1].");
    expect(await served.ragline.readSession("retried")).toMatchObject({
      turnCount: 1,
      turns: [{ status: "complete", answer: "15일입니다 [1]." }],
    });
  });

  test("a conversation that the client keeps: nothing is stored, and it is answered each time", async () => {
    const key = randomUUID();
    const asked = upstream.requests.length;
    for (const content of [question, "병가는 며칠인가요?"]) {
      expect(await create({ messages: [{ role: "user", content }] }, key)).toMatchObject({
        ragline: { cached: false },
      });
    }
    expect(upstream.requests).toHaveLength(asked + 2);
  });
});

test("the OpenAPI document has the header, with its limits", async () => {
  const document = (await (await fetch(`${served.url}/openapi.json`)).json()) as {
    paths: Record<
      string,
      { post: { parameters?: { in: string; name: string; required?: boolean; schema: object }[] } }
    >;
  };
  for (const path of ["/v1/ask", "/v1/chat/completions"]) {
    const parameters = document.paths[path]?.post.parameters?.filter((one) => one.in === "header");
    expect(parameters).toMatchObject([{ name: "idempotency-key", schema: { type: "string" } }]);
    expect(JSON.stringify(parameters)).toContain("{1,128}");
    expect(parameters?.[0]?.required ?? false).toBe(false);
  }
});
