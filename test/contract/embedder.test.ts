import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAiSdkEmbedder } from "../../src/adapters/embedder/ai-sdk.ts";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createOnnxEmbedder } from "../../src/adapters/embedder/onnx.ts";
import { createOpenAiEmbedder } from "../../src/adapters/embedder/openai.ts";
import { createSimulatedEmbedder } from "../../src/adapters/embedder/simulated.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { createTeiEmbedder } from "../../src/adapters/embedder/tei.ts";
import { RaglineError } from "../../src/errors.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import { batchedEmbedder } from "../../src/wrap/batched.ts";
import { call, sleep } from "../support/calls.ts";
import { expectAbort, expectFailure, FAULTS } from "../support/faults.ts";
import { temporaryFolder } from "../support/folder.ts";
import { writeEmbedder } from "../support/onnx/models.ts";
import { BATCHES } from "../support/simulated.ts";
import { DIMENSIONS, embeddings, orderedEmbeddings, teiEmbed, tooLong } from "../support/stub-embeddings.ts";
import { refusing } from "../support/stub-model.ts";
import { tei, teiInfo } from "../support/stub-rerank.ts";
import { type StubHandler, type StubServer, sendJson, stubServer } from "../support/stub-server.ts";
import { dot, embedderContract } from "./embedder.ts";

const embedded = { calls: () => 0, close: async () => undefined };
embedderContract("static", async () => ({ embedder: createStaticEmbedder(), ...embedded }));
embedderContract("simulated", async () => ({ embedder: createSimulatedEmbedder(BATCHES), ...embedded }));
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

const CHARACTERS = { name: "characters", count: (text: string) => text.length };
const PREFIXES = { queryPrefix: "query: ", passagePrefix: "passage: " };
const LIMITS = { inputTokensMax: 500, batchTextsMax: 8, counter: CHARACTERS };

type Open = (url: string, apiKey?: string) => Embedder;
const openOpenAi: Open = (url, apiKey) =>
  createOpenAiEmbedder({ baseUrl: `${url}/v1/`, model: "e5", dimensions: DIMENSIONS, apiKey, ...PREFIXES, ...LIMITS });
const openTei: Open = (url, apiKey) =>
  createTeiEmbedder({ baseUrl: `${url}/`, model: "thenlper/gte-base", dimensions: DIMENSIONS, apiKey, ...PREFIXES });
const openAiSdk: Open = (baseURL, apiKey) =>
  createAiSdkEmbedder({
    model: createOpenAICompatible({ name: "stub", baseURL: `${baseURL}/v1`, ...(apiKey && { apiKey }) }).embeddingModel(
      "e5",
    ),
    dimensions: DIMENSIONS,
    ...PREFIXES,
    ...LIMITS,
  });
const REMOTE: readonly (readonly [string, Open, StubHandler])[] = [
  ["openai", openOpenAi, embeddings],
  ["tei", openTei, tei(teiEmbed)],
  ["ai-sdk", openAiSdk, orderedEmbeddings],
];
for (const [name, open, handler] of REMOTE) {
  embedderContract(name, async () => {
    const server = await stubServer(handler);
    return { embedder: open(server.url), calls: () => server.requests.length, close: () => server.close() };
  });
}

describe.each(REMOTE)("%s embedder over a real socket", (_name, open, works) => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubServer(works);
  });
  afterAll(() => server.close());
  const isTei = open === openTei;
  const answering = (handler: StubHandler) => server.answer(isTei ? tei(handler) : handler);
  const inputs = () => {
    const sent = server.requests.at(-1)?.body ?? {};
    return (sent.input ?? sent.inputs) as string[];
  };

  test("sends the prefixed texts and the key; finds the path under a base with a slash", async () => {
    server.answer(works);
    const tokens: number[] = [];
    await open(server.url, "sk-test").embed(["연차"], "query", { ...call(), onTokens: (n) => void tokens.push(n) });
    expect(server.requests.at(-1)?.path).toBe(isTei ? "/embed" : "/v1/embeddings");
    expect(inputs()).toEqual(["query: 연차"]);
    expect(server.requests.at(-1)?.headers.authorization).toBe("Bearer sk-test");
    expect(tokens).toEqual([8]);
    await open(server.url).embed(["연차"], "passage", call());
    expect(inputs()).toEqual(["passage: 연차"]);
    expect(server.requests.at(-1)?.headers.authorization).toBeUndefined();
  });

  test("says that texts leave the machine", () => {
    expect(open(server.url).remote).toBe(true);
  });

  test("keeps to the batch limit, in order", async () => {
    server.answer(works);
    const asked = server.requests.length;
    const texts = Array.from({ length: 21 }, (_, i) => `연차 휴가 ${i}번째 글`);
    const vectors = await open(server.url).embed(texts, "passage", call());
    const sent = server.requests.slice(asked).filter(({ path }) => path !== "/info");
    expect(sent.map(({ body }) => ((body.input ?? body.inputs) as string[]).length)).toEqual([8, 8, 5]);
    const [alone] = await open(server.url).embed([texts[20] ?? ""], "passage", call());
    expect(vectors).toHaveLength(21);
    expect(dot(alone ?? new Float32Array(), vectors[20])).toBeGreaterThan(0.999);
  });

  test.each([
    "This model's maximum context length is 8192 tokens, however you requested 9001 tokens. Please reduce your prompt.",
    "Input validation error: `inputs` must have less than 512 tokens. Given: 785",
    "the input length exceeds the context length",
    "input is too large to process. increase the physical batch size",
  ])("4: what the endpoint finds too long is cut, and takes nothing from the others: %s", async (message) => {
    answering(tooLong(300, message, isTei ? teiEmbed : works));
    const long = "퇴직금은 14일 안에 지급한다. ".repeat(40);
    const [short, cut] = await open(server.url).embed(["짧은 글", long], "passage", call());
    const [alone] = await open(server.url).embed(["짧은 글"], "passage", call());
    expect(short).toEqual(alone);
    expect(dot(cut ?? new Float32Array(), cut)).toBeCloseTo(1, 3);
  });

  test("4: a refusal that is not about length is none of that", async () => {
    answering(refusing(400, "model 'e5' does not exist"));
    const asked = server.requests.length;
    await expect(open(server.url).embed(["a", "b"], "query", call())).rejects.toMatchObject({ retryable: false });
    expect(server.requests.slice(asked).filter(({ path }) => path !== "/info")).toHaveLength(1);
  });

  for (const fault of FAULTS) {
    test(`4: ${fault.name}`, async () => {
      answering(fault.handler);
      await expectFailure(open(server.url).embed(["a", "b"], "query", call()), fault);
    });
  }

  const one = (index: number, length = DIMENSIONS) => ({ index, embedding: Array(length).fill(0.1) as unknown[] });
  test.each([
    ["one vector too few", [one(0)]],
    ["one vector too many", [one(0), one(1), one(2)]],
    ["another length", [one(0), one(1, 3)]],
    ["words for numbers", [one(0), { index: 1, embedding: Array(DIMENSIONS).fill("NaN") }]],
    ["NaN, as JSON has it", [one(0), { index: 1, embedding: Array(DIMENSIONS).fill(Number.NaN) }]],
    ["more than float32 holds", [one(0), { index: 1, embedding: Array(DIMENSIONS).fill(1e39) }]],
  ])("4: vectors that cannot be used reject: %s", async (_, data) => {
    answering((_request, response) =>
      sendJson(response, isTei ? data.map(({ embedding }) => embedding) : { object: "list", data }),
    );
    await expect(open(server.url).embed(["a", "b"], "query", call())).rejects.toMatchObject({
      name: "RaglineError",
      code: "dependency_failed",
      retryable: false,
    });
  });

  test("4: of vectors of another length it is said how long they are", async () => {
    const vectors = [one(0, 3), one(1, 3)];
    answering((_request, response) =>
      sendJson(response, isTei ? vectors.map(({ embedding }) => embedding) : { object: "list", data: vectors }),
    );
    await expect(open(server.url).embed(["a", "b"], "query", call())).rejects.toMatchObject({
      message: `The embedding endpoint's answer cannot be used: 3 values in a vector, but embed.dimensions says ${DIMENSIONS}.`,
    });
  });

  test("4: nobody listens: rejects, and another try may help", async () => {
    const gone = await stubServer(works);
    await gone.close();
    await expect(open(gone.url).embed(["a"], "query", call())).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: true,
    });
  });

  test.each([
    ["headers", () => undefined],
    [
      "a body",
      (_request, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.write("[");
      },
    ],
  ] satisfies [string, StubHandler][])(
    "slow %s: the caller's deadline ends it, with its own reason",
    async (_, handler) => {
      answering(handler);
      const late = new RaglineError("dependency_timeout", "No answer within 50 ms.");
      const controller = new AbortController();
      setTimeout(() => controller.abort(late), 50);
      await expect(open(server.url).embed(["a"], "query", call(controller.signal))).rejects.toBe(late);
    },
  );

  test("5: abort ends the call at once, here and at the endpoint", async () => {
    answering(() => undefined);
    await expectAbort(server, (signal) => open(server.url).embed(["a"], "query", call(signal)));
  });

  test("Korean that is split anywhere within its bytes arrives whole", async () => {
    const failure = { error: { message: "지급 기한 초과", detail: "퇴직금" } };
    answering(async (_request, response) => {
      response.writeHead(503, { "content-type": "application/json" });
      for (const byte of Buffer.from(JSON.stringify(failure))) {
        response.write(Uint8Array.of(byte));
        await sleep(0);
      }
      response.end();
    });
    const error: Error = await open(server.url)
      .embed(["a"], "query", call())
      .then(
        () => new Error("no failure"),
        (thrown: Error) => thrown,
      );
    expect(String(error.cause)).toContain("지급 기한 초과");
  });
});

describe("openai embedder", () => {
  let server: StubServer;
  beforeAll(async () => {
    server = await stubServer(embeddings);
  });
  afterAll(() => server.close());

  test("base64 is asked for, and means the same as numbers", async () => {
    server.answer(embeddings);
    const [packed] = await openOpenAi(server.url).embed(["연차"], "query", call());
    expect(server.requests.at(-1)?.body).toMatchObject({ model: "e5", encoding_format: "base64" });
    server.answer((request, response) =>
      embeddings({ ...request, body: { ...request.body, encoding_format: "float" } }, response),
    );
    const [plain] = await openOpenAi(server.url).embed(["연차"], "query", call());
    expect(dot(packed ?? new Float32Array(), plain)).toBeGreaterThan(0.999999);
  });

  test("an endpoint that refuses base64 is asked without, from then on at once", async () => {
    server.answer((request, response) =>
      "encoding_format" in request.body
        ? sendJson(response, { detail: [{ loc: ["body", "encoding_format"], msg: "extra fields not permitted" }] }, 422)
        : embeddings(request, response),
    );
    const asked = server.requests.length;
    const embedder = openOpenAi(server.url);
    for (const _ of [1, 2]) await embedder.embed(["연차"], "query", call());
    expect(server.requests.length - asked).toBe(3);
  });

  test.each([
    ["cut", Buffer.alloc(DIMENSIONS * 4 - 3)],
    ["of another length", Buffer.alloc(DIMENSIONS * 8)],
    ["that holds NaN", Buffer.from(new Float32Array(DIMENSIONS).fill(Number.NaN).buffer)],
    ["that holds infinity", Buffer.from(new Float32Array(DIMENSIONS).fill(Number.POSITIVE_INFINITY).buffer)],
  ])("4: base64 %s rejects", async (_, bytes) => {
    server.answer((_request, response) =>
      sendJson(response, { data: [{ index: 0, embedding: bytes.toString("base64") }] }),
    );
    await expect(openOpenAi(server.url).embed(["a"], "query", call())).rejects.toMatchObject({ retryable: false });
  });

  test.each([
    ["one twice", [0, 0]],
    ["an index out of range", [0, 7]],
  ])("4: indices that do not fit reject: %s", async (_, indices) => {
    const embedding = Array(DIMENSIONS).fill(0.1);
    server.answer((_request, response) => sendJson(response, { data: indices.map((index) => ({ index, embedding })) }));
    await expect(openOpenAi(server.url).embed(["a", "b"], "query", call())).rejects.toMatchObject({ retryable: false });
  });

  test("texts are cut to the limit before they are sent, between characters", async () => {
    server.answer(embeddings);
    await openOpenAi(server.url).embed(["🏝️".repeat(400)], "passage", call());
    const [sent = ""] = (server.requests.at(-1)?.body.input ?? []) as string[];
    expect(sent.length).toBeLessThanOrEqual(500);
    expect(sent.length).toBeGreaterThan(480);
    expect(sent.isWellFormed()).toBe(true);
  });
});

describe("tei embedder", () => {
  test("asks once what a call may hold; a server that does not say is taken at its default", async () => {
    const server = await stubServer((request, response) =>
      request.path === "/info" ? void response.writeHead(404).end() : teiEmbed(request, response),
    );
    const embedder = openTei(server.url);
    for (const _ of [1, 2]) await embedder.embed(Array(40).fill("글"), "passage", call());
    const sizes = server.requests.map(({ path, body }) => (path === "/info" ? path : (body.inputs as string[]).length));
    expect(sizes).toEqual(["/info", 32, 8, 32, 8]);
    expect(server.requests.at(-1)?.body).toMatchObject({ truncate: true, normalize: true });
    await server.close();
  });

  test("a server with another model is refused by name; a folder's name or a missing owner is none", async () => {
    const serving = async (model_id: string) => {
      const server = await stubServer(tei(teiEmbed, { ...teiInfo, model_id }));
      return { server, pending: openTei(server.url).embed(["a"], "query", call()) };
    };
    const other = await serving("BAAI/bge-m3");
    await expect(other.pending).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message: "The endpoint serves BAAI/bge-m3, but embed.model says thenlper/gte-base.",
    });
    await other.server.close();
    for (const name of ["/data/model", "gte-base"]) {
      const { server, pending } = await serving(name);
      expect(await pending).toHaveLength(1);
      await server.close();
    }
  });
});
