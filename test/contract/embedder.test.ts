import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createOnnxEmbedder } from "../../src/adapters/embedder/onnx.ts";
import { createOpenAiEmbedder } from "../../src/adapters/embedder/openai.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { batchedEmbedder } from "../../src/wrap/batched.ts";
import { call, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { writeEmbedder } from "../support/onnx/models.ts";
import { DIMENSIONS, embeddings } from "../support/stub-embeddings.ts";
import { refusing } from "../support/stub-model.ts";
import { type StubHandler, type StubServer, sendJson, stubServer } from "../support/stub-server.ts";
import { embedderContract } from "./embedder.ts";

const embedded = { calls: () => 0, close: async () => undefined };
embedderContract("static", async () => ({ embedder: createStaticEmbedder(), ...embedded }));
embedderContract("hashing", async () => ({ embedder: createHashingEmbedder({ dimensions: 256 }), ...embedded }));
for (const isBatched of [false, true]) {
  embedderContract(isBatched ? "onnx, batched" : "onnx", async () => {
    const folder = temporaryFolder();
    const onnx = createOnnxEmbedder({
      model: writeEmbedder(folder.file("tiny")),
      cacheFolder: folder.file("hub"),
      batchTimeoutMs: 30_000,
      threads: 1,
    });
    const embedder = isBatched ? batchedEmbedder(onnx, { batchTokensMax: 128, queueMax: 64 }) : onnx;
    return {
      embedder,
      calls: () => onnx.counts?.().batches ?? 0,
      async close() {
        await embedder.close?.();
        folder.remove();
      },
    };
  });
}
embedderContract("openai", async () => {
  const server = await stubServer(embeddings);
  return { embedder: remote(server), calls: () => server.requests.length, close: () => server.close() };
});

function remote({ url }: StubServer, apiKey?: string) {
  const prefixes = { queryPrefix: "query: ", passagePrefix: "passage: " };
  return createOpenAiEmbedder({ baseUrl: `${url}/v1/`, model: "e5", dimensions: DIMENSIONS, apiKey, ...prefixes });
}

describe("openai embedder over a real socket", () => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubServer(embeddings);
  });
  afterAll(() => server.close());

  const failing = async (handler: StubHandler) => {
    server.answer(handler);
    const refused = remote(server).embed(["a", "b"], "query", call());
    await expect(refused).rejects.toMatchObject({ name: "RaglineError", code: "dependency_failed" });
    return refused.catch((error: unknown) => error);
  };

  test("sends the model, the prefixed texts and the key; finds the path under a base with a slash", async () => {
    server.answer(embeddings);
    await remote(server, "sk-test").embed(["연차"], "query", call());
    await remote(server).embed(["연차"], "passage", call());
    const [first, second] = server.requests.slice(-2);
    expect(first).toMatchObject({ path: "/v1/embeddings", body: { model: "e5", input: ["query: 연차"] } });
    expect(first?.headers.authorization).toBe("Bearer sk-test");
    expect(second?.body.input).toEqual(["passage: 연차"]);
    expect(second?.headers.authorization).toBeUndefined();
  });

  test.each([
    [401, false],
    [400, false],
    [404, false],
    [429, true],
    [500, true],
    [503, true],
  ])("4: status %i rejects; worth another try: %s; the upstream's words stay inside", async (status, retryable) => {
    const error = await failing(refusing(status));
    expect(error).toMatchObject({ retryable });
    expect(JSON.stringify(error)).not.toContain("secret-host");
    expect(String(error)).not.toContain("secret-host");
  });

  const vector = (index: number, length = DIMENSIONS) => ({ index, embedding: Array(length).fill(0.1) });
  test.each([
    ["no JSON", "<html>not found</html>"],
    ["no data", { object: "list" }],
    ["one vector too few", { data: [vector(0)] }],
    ["one vector too many", { data: [vector(0), vector(1), vector(2)] }],
    ["one twice", { data: [vector(0), vector(0)] }],
    ["an index out of range", { data: [vector(0), vector(7)] }],
    ["another length", { data: [vector(0), vector(1, 3)] }],
    ["words for numbers", { data: [vector(0), { index: 1, embedding: ["NaN"] }] }],
    ["null", null],
  ])("4: an answer that cannot be used rejects: %s", async (_, answer) => {
    await failing((_request, response) =>
      typeof answer === "string" ? void response.writeHead(200).end(answer) : sendJson(response, answer),
    );
  });

  test("4: a connection that breaks off rejects", async () => {
    await failing((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"data": [');
      setTimeout(() => response.destroy(), 10);
    });
  });

  test("4: nobody listens: rejects, and another try may help", async () => {
    const gone = await stubServer(embeddings);
    await gone.close();
    await expect(remote(gone).embed(["a"], "query", call())).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: true,
    });
  });

  test("5: abort ends the call at once, here and at the endpoint", async () => {
    server.answer(() => undefined);
    const asked = server.requests.length;
    const abandoned = server.abandonedAt.length;
    const controller = new AbortController();
    const pending = remote(server)
      .embed(["a"], "query", call(controller.signal))
      .catch((error: unknown) => error);
    await until("the endpoint has the call", () => server.requests.length > asked);
    const abortedAt = performance.now();
    controller.abort();
    expect(await pending).toBeInstanceOf(Error);
    await until("the socket closes", () => server.abandonedAt.length > abandoned);
    expect((server.abandonedAt.at(-1) ?? Number.POSITIVE_INFINITY) - abortedAt).toBeLessThan(100);
  });
});
