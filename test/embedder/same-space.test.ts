import { afterAll, beforeAll, expect, test } from "vitest";
import { createOpenAiEmbedder, type OpenAiEmbedderOptions } from "../../src/adapters/embedder/openai.ts";
import { call } from "../support/calls.ts";
import { DIMENSIONS, embeddings } from "../support/stub-embeddings.ts";
import { type StubHandler, type StubServer, sendJson, stubServer } from "../support/stub-server.ts";

let server: StubServer;
beforeAll(async () => {
  server = await stubServer(embeddings);
});
afterAll(() => server.close());

const open = (bodies: Pick<OpenAiEmbedderOptions, "body" | "queryBody" | "passageBody"> = {}) =>
  createOpenAiEmbedder({
    ...bodies,
    baseUrl: `${server.url}/v1`,
    model: "e5",
    dimensions: DIMENSIONS,
    queryPrefix: "query: ",
    passagePrefix: "",
    inputTokensMax: 500,
    batchTextsMax: 8,
    counter: { name: "characters", count: (text) => text.length },
  });
/** The same vectors under this name. */
const named =
  (model: string): StubHandler =>
  (request, response) =>
    embeddings({ ...request, body: { ...request.body, model } }, response);
/** As many values, of another space. */
const another: StubHandler = ({ body }, response) => {
  const data = (body.input as string[]).map((text, index) => {
    const embedding = Array.from({ length: DIMENSIONS }, (_, i) => Math.sin((i + 1) * 7 * text.length));
    return { object: "embedding", index, embedding };
  });
  sendJson(response, { object: "list", model: "another", data });
};

test("another model under the configured name fails for good, as long as it answers", async () => {
  server.answer(named("e5-large"));
  const embedder = open();
  await embedder.embed(["연차 휴가"], "query", call());
  server.answer(another);
  for (let i = 0; i < 2; i++) {
    await expect(embedder.embed([`병가 ${i}`], "query", call())).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message: expect.stringMatching(/another model answers under the name e5/),
      cause: expect.objectContaining({ message: "e5-large, then another" }),
    });
  }
  server.answer(named("e5-large"));
  expect(await embedder.embed(["병가"], "query", call())).toHaveLength(1);
});

test("another name for the same model, as gateways give, is looked at once", async () => {
  server.answer(named("e5"));
  const embedder = open();
  await embedder.embed(["연차 휴가"], "query", call());
  const asked = server.requests.length;
  for (const name of ["azure/e5-0613", "e5", "azure/e5-0613"]) {
    server.answer(named(name));
    await embedder.embed(["병가"], "query", call());
  }
  expect(server.requests.slice(asked).map(({ body }) => body.input)).toEqual([
    ["query: 병가"],
    ["query: 연차 휴가"],
    ["query: 병가"],
    ["query: 병가"],
  ]);
});

test("questions and passages have further fields of their own, also where a text is looked at again", async () => {
  server.answer(named("e5"));
  const embedder = open({
    body: { dimensions: 64 },
    queryBody: { input_type: "query" },
    passageBody: { input_type: "document" },
  });
  const asked = server.requests.length;
  await embedder.embed(["연차 휴가"], "passage", call());
  server.answer(named("azure/e5-0613"));
  await embedder.embed(["병가"], "query", call());
  const sent = server.requests.slice(asked).map(({ body }) => [body.input, body.dimensions, body.input_type]);
  expect(sent).toEqual([
    [["연차 휴가"], 64, "document"],
    [["query: 병가"], 64, "query"],
    [["연차 휴가"], 64, "document"],
  ]);
});
