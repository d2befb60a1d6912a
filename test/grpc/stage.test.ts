import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { createGrpcEmbedders } from "../../src/adapters/embedder/grpc.ts";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createGrpcLanguageModels } from "../../src/adapters/language-model/grpc.ts";
import { createGrpcIndexes } from "../../src/adapters/passage-index/grpc.ts";
import { createGrpcRerankers } from "../../src/adapters/reranker/grpc.ts";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { RaglineError } from "../../src/errors.ts";
import type { StageServer } from "../../src/grpc/serve.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { GenerateDelta, LanguageModel } from "../../src/ports/language-model.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { ModelCall, Served } from "../../src/types.ts";
import { HEALTH, methodOf, REFLECTION } from "../../src/wire/definitions.ts";
import { Client, credentials, Metadata, type ServiceError, status } from "../../src/wire/library.ts";
import { CallWithin } from "../../src/wrap/call-within.ts";
import { withMethods } from "../../src/wrap/with-methods.ts";
import { DIMENSIONS, document, passage } from "../contract/passages.ts";
import { call, collect, scope, until } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { clientOptions, only, serveOnLoopback } from "../support/stages-apart.ts";

const toClose: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close();
});

async function served(port: Embedder, options: Parameters<typeof serveOnLoopback>[1] = {}): Promise<StageServer> {
  const server = await serveOnLoopback({ stage: "embed", port }, options);
  toClose.push(() => server.close());
  return server;
}

async function embedderOf(endpoints: readonly string[], change: Parameters<typeof clientOptions>[2] = {}) {
  const opened = await createGrpcEmbedders(clientOptions("embed", endpoints, change));
  toClose.push(async () => Promise.all(opened.map(({ port }) => port.close?.())));
  return opened;
}

async function modelOf(port: LanguageModel): Promise<LanguageModel> {
  const server = await serveOnLoopback({ stage: "generate", port });
  toClose.push(() => server.close());
  const model = only(await createGrpcLanguageModels(clientOptions("generate", [server.address])));
  toClose.push(async () => model.close?.());
  return model;
}

function failing(error: unknown): Embedder {
  return withMethods(createHashingEmbedder({ dimensions: 64 }), { embed: () => Promise.reject(error) });
}

/** Never answers; tells when it is told to stop. */
function hanging() {
  const state = { begun: 0, stoppedAt: 0 };
  const embedder = withMethods(createHashingEmbedder({ dimensions: 64 }), {
    embed: (_texts, _kind, { signal }) => {
      state.begun++;
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          state.stoppedAt = performance.now();
          reject(signal.reason);
        });
      });
    },
  });
  return { embedder, state };
}

const raw = (address: string) => {
  const client = new Client(address, credentials.createInsecure());
  toClose.push(async () => client.close());
  return client;
};

function rawUnary(client: Client, service: string, method: string, request: object): Promise<object> {
  const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) => {
      if (error) reject(error);
      else resolve(response ?? {});
    });
  });
}

test("what is embedded as a passage, and what as a question, is so at the stage", async () => {
  const kinds: string[] = [];
  const hashing = createHashingEmbedder({ dimensions: 64 });
  const server = await served(
    withMethods(hashing, {
      embed(texts, kind, options) {
        kinds.push(kind);
        return hashing.embed(texts, kind, options);
      },
    }),
  );
  const embedder = only(await embedderOf([server.address]));
  await embedder.embed(["글"], "passage", call());
  await embedder.embed(["글"], "query", call());
  expect(kinds).toEqual(["passage", "query"]);
});

describe("errors over the wire", () => {
  const ERRORS_SENT = [
    new RaglineError("conflict", "두 벡터 공간: 하나는 256, 하나는 384 — not 100%", {
      step: "search",
      retryable: false,
    }),
    new RaglineError("rate_limited", "Slow down.", { step: "embed", retryAfterMs: 1500 }),
    new RaglineError("overloaded", "8 calls are under way and 0 wait."),
    new RaglineError("dependency_failed", "The upstream refused the call with status 400.", { retryable: false }),
    new RaglineError("dependency_timeout", "No answer within 5 ms.", { step: "generate" }),
    new RaglineError("request_invalid", `a lone surrogate \ud83d and ${"긴 글 ".repeat(2000)}`),
  ];
  test.each(ERRORS_SENT)("$code keeps code, message and whether it may pass, and names a step", async (sent) => {
    const server = await served(failing(sent));
    const embedder = only(await embedderOf([server.address]));
    const got = await embedder.embed(["글"], "query", call()).catch((error: unknown) => error);
    expect(got).toBeInstanceOf(RaglineError);
    const { code, step, retryable, retryAfterMs } = sent;
    expect(got).toMatchObject({ code, step: step ?? "embed", retryable, retryAfterMs });
    expect((got as RaglineError).message.slice(0, 1000)).toBe(sent.message.toWellFormed().slice(0, 1000));
  });

  test("a fault inside the stage tells nothing of itself", async () => {
    const server = await served(failing(new TypeError("secret-host: undefined is not a function")));
    const embedder = only(await embedderOf([server.address]));
    const got = await embedder.embed(["글"], "query", call()).catch((error: unknown) => error);
    expect(got).toMatchObject({ code: "internal", retryable: false });
    expect(JSON.stringify((got as RaglineError).body())).not.toContain("secret-host");
    expect(String((got as RaglineError).cause)).not.toContain("secret-host");
  });

  test("a stage that is not there: dependency_failed, which may pass, and the problem names it", async () => {
    const embedder = only(await embedderOf(["127.0.0.1:1"]));
    await expect(embedder.embed(["글"], "query", call())).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: true,
    });
    expect(embedder.problem?.()).toContain("127.0.0.1:1");
    expect(embedder.model).toContain("not reached");
  });

  test("another stage is refused by name", async () => {
    const server = await served(createHashingEmbedder({ dimensions: 64 }));
    const reranker = only(await createGrpcRerankers(clientOptions("rerank", [server.address])));
    toClose.push(async () => reranker.close?.());
    const refused = reranker.rerank("휴가", ["글"], call());
    await expect(refused).rejects.toMatchObject({
      message: `rerank.endpoints: ${server.address} serves embed, not rerank`,
    });
  });

  test("a sibling with another model takes no calls, and says why", async () => {
    const [small, large] = [createHashingEmbedder({ dimensions: 64 }), createHashingEmbedder({ dimensions: 128 })];
    const [one, two] = [await served(small), await served(large)];
    const opened = await embedderOf([one.address, two.address]);
    expect(opened.map(({ serving }) => serving()).filter(Boolean)).toHaveLength(1);
    const outcomes = await Promise.allSettled(opened.map(({ port }) => port.embed(["글"], "query", call())));
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const refused = outcomes.find((outcome) => outcome.status === "rejected");
    expect(refused?.reason).toMatchObject({ code: "dependency_failed", retryable: false });
    expect(refused?.reason.message).toMatch(/64 dimensions.*128 dimensions|128 dimensions.*64 dimensions/);
  });

  test("an endpoint that comes back with another embedder is refused: vectors of two spaces never meet", async () => {
    const first = await serveOnLoopback({ stage: "embed", port: createHashingEmbedder({ dimensions: 64 }) });
    const [opened] = await embedderOf([first.address]);
    expect(await opened?.port.embed(["글"], "query", call())).toHaveLength(1);
    await first.close();
    await served(createHashingEmbedder({ dimensions: 128 }), { port: first.port });
    await until("the new one is known", () => opened?.port.problem?.()?.includes("128 dimensions") ?? false);
    await expect(opened?.port.embed(["글"], "query", call())).rejects.toMatchObject({ retryable: false });
  });
});

describe("limits", () => {
  test("a message that is too large is refused by name, and the next call is served", async () => {
    const server = await served(createHashingEmbedder({ dimensions: 64 }), { messageBytesMax: 65_536 });
    const embedder = only(await embedderOf([server.address]));
    const refused = embedder.embed(["휴가 ".repeat(20_000)], "passage", call());
    await expect(refused).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message: expect.stringMatching(/messageBytesMax.*65536/),
    });
    expect(await embedder.embed(["휴가"], "query", call())).toHaveLength(1);
    const mean = only(await embedderOf([server.address], { messageBytesMax: 65_536 }));
    await expect(mean.embed(["x".repeat(70_000)], "query", call())).rejects.toMatchObject({ retryable: false });
  });

  test("what cannot be done in the time left is refused at once, before any work", async () => {
    let begun = 0;
    const slow = withMethods(createHashingEmbedder({ dimensions: 64 }), {
      embed: async (texts) => {
        begun++;
        await sleep(300);
        return texts.map(() => new Float32Array(64));
      },
    });
    const embedder = only(await embedderOf([(await served(slow)).address]));
    await embedder.embed(["글"], "query", call());
    const startedAt = performance.now();
    const late = embedder.embed(["글"], "query", { ...call(), deadline: startedAt + 150 });
    await expect(late).rejects.toMatchObject({ code: "dependency_timeout" });
    expect(performance.now() - startedAt).toBeLessThan(140);
    expect(begun).toBe(1);
  });

  test("the deadline travels: a call that hangs ends at the caller's, on both sides", async () => {
    const { embedder: hangs, state } = hanging();
    const embedder = only(await embedderOf([(await served(hangs)).address]));
    const pending = embedder.embed(["글"], "query", { ...call(), deadline: performance.now() + 200 });
    await expect(pending).rejects.toMatchObject({ code: "dependency_timeout" });
    await until("the stage stops", () => state.stoppedAt > 0);
  });
});

describe("leaving", () => {
  test("a caller who leaves stops the stage's work within 200 ms", async () => {
    const { embedder: hangs, state } = hanging();
    const embedder = only(await embedderOf([(await served(hangs)).address]));
    const controller = new AbortController();
    const pending = embedder.embed(["글"], "query", call(controller.signal)).catch((error: unknown) => error);
    await until("the stage works", () => state.begun === 1);
    const leftAt = performance.now();
    controller.abort(new RaglineError("cancelled", "The caller left."));
    expect(await pending).toMatchObject({ code: "cancelled" });
    await until("the stage stops", () => state.stoppedAt > 0);
    expect(state.stoppedAt - leftAt).toBeLessThan(200);
  });

  test("a reader who stops an answer stops the model within 200 ms, in the middle of a stream", async () => {
    let produced = 0;
    let stoppedAt = 0;
    const endless: LanguageModel = {
      model: "endless",
      contextTokensMax: 4096,
      async *stream(_request, { signal }) {
        try {
          for (;;) {
            signal.throwIfAborted();
            produced++;
            yield { type: "text", text: "말 " } as const;
            await sleep(1);
          }
        } finally {
          stoppedAt = performance.now();
        }
      },
    };
    const model = await modelOf(endless);
    let seen = 0;
    for await (const _ of model.stream(generateRequest("휴가?", []), call())) if (++seen === 5) break;
    const leftAt = performance.now();
    await until("the model stops", () => stoppedAt > 0);
    expect(stoppedAt - leftAt).toBeLessThan(200);
    const then = produced;
    await sleep(100);
    expect(produced).toBe(then);
  });

  test("so does one whose signal aborts", async () => {
    const stopped = Promise.withResolvers<void>();
    const endless: LanguageModel = {
      model: "endless",
      contextTokensMax: 4096,
      async *stream(_request, { signal }) {
        signal.addEventListener("abort", () => stopped.resolve());
        for (;;) {
          yield { type: "text", text: "말 " } as const;
          await sleep(1);
          signal.throwIfAborted();
        }
      },
    };
    const model = await modelOf(endless);
    const leaving = new AbortController();
    const stream = model.stream(generateRequest("휴가?", []), call(leaving.signal))[Symbol.asyncIterator]();
    await stream.next();
    leaving.abort(new RaglineError("cancelled", "left"));
    await expect(collect({ [Symbol.asyncIterator]: () => stream })).rejects.toMatchObject({ code: "cancelled" });
    await stopped.promise;
  });

  test("a reader who is slow holds the model back: what is written ahead is bounded", async () => {
    let produced = 0;
    const fast: LanguageModel = {
      model: "fast",
      contextTokensMax: 4096,
      async *stream() {
        for (; produced < 120; produced++) yield { type: "text", text: "말".repeat(10_000) } as const;
        yield { type: "end", finishReason: "stop", usage: { promptTokens: 7, completionTokens: 120 } } as const;
      },
    };
    const model = await modelOf(fast);
    const stream = model.stream(generateRequest("휴가?", []), call())[Symbol.asyncIterator]();
    await stream.next();
    await sleep(100);
    expect(produced).toBeLessThan(60);
    expect(await collect({ [Symbol.asyncIterator]: () => stream })).toHaveLength(120);
  });

  test("an answer that the model breaks off never looks finished, and what came before is given", async () => {
    const cut: LanguageModel = {
      model: "cut",
      contextTokensMax: 4096,
      async *stream() {
        yield { type: "reasoning", text: "음" } as const;
        yield { type: "text", text: "퇴직금은 🏝️" } as const;
        throw new RaglineError("dependency_failed", "The answer was cut.", { step: "generate" });
      },
    };
    const model = await modelOf(cut);
    const deltas: GenerateDelta[] = [];
    const reading = (async () => {
      for await (const delta of model.stream(generateRequest("퇴직금?", []), call())) deltas.push(delta);
    })();
    await expect(reading).rejects.toMatchObject({
      code: "dependency_failed",
      step: "generate",
      message: "The answer was cut.",
    });
    expect(deltas).toEqual([
      { type: "reasoning", text: "음" },
      { type: "text", text: "퇴직금은 🏝️" },
    ]);
  });

  test("a long answer is not cut by the deadline of its first delta", async () => {
    const slow: LanguageModel = {
      model: "slow",
      contextTokensMax: 4096,
      async *stream(_request, { deadline }) {
        yield { type: "text", text: String(Math.round((deadline ?? 0) - performance.now()) > 0) } as const;
        await sleep(400);
        yield { type: "end", finishReason: "stop", usage: { promptTokens: 7, completionTokens: 3 } } as const;
      },
    };
    const model = await modelOf(slow);
    const deltas = await collect(
      model.stream(generateRequest("?", []), { ...call(), deadline: performance.now() + 300 }),
    );
    expect(deltas).toEqual([
      { type: "text", text: "true" },
      { type: "end", finishReason: "stop", usage: { promptTokens: 7, completionTokens: 3 } },
    ]);
  });
});

describe("what a call tells besides", () => {
  test("calls of models with their tokens, queue and service, also of a call that failed", async () => {
    const metered = (isFailing: boolean): Embedder =>
      withMethods(createHashingEmbedder({ dimensions: 64 }), {
        embed: async (texts, _kind, { onModelCall, onServed, ...rest }) => {
          const told = { onModelCall, onServed, ...rest };
          told.onServed?.call(told, { queueMs: 20, serviceMs: 0 });
          onModelCall?.call(told, { inputTokens: 11, outputTokens: 0, ms: 2.5 });
          await sleep(30);
          if (isFailing) throw new RaglineError("dependency_failed", "no");
          return texts.map(() => new Float32Array(64));
        },
      });
    for (const isFailing of [false, true]) {
      const inner = metered(isFailing);
      const bound = withMethods(inner, {
        embed: (texts, kind, options) =>
          inner.embed(texts, kind, {
            signal: options.signal,
            onModelCall: (one) => options.onModelCall?.(one),
            onServed: (one) => options.onServed?.(one),
          }),
      });
      const embedder = only(await embedderOf([(await served(bound)).address]));
      const calls: ModelCall[] = [];
      const times: Served[] = [];
      const told = {
        ...call(),
        onModelCall: (one: ModelCall) => calls.push(one),
        onServed: (one: Served) => times.push(one),
      };
      await embedder.embed(["글"], "query", told).catch(() => undefined);
      expect(calls).toEqual([{ inputTokens: 11, outputTokens: 0, ms: 2.5 }]);
      expect(times).toHaveLength(1);
      expect(times[0]?.queueMs).toBe(20);
      expect(times[0]?.serviceMs).toBeGreaterThan(5);
    }
  });
});

describe("health, drain, reflection", () => {
  const check = (client: Client, service: string) => rawUnary(client, HEALTH, "Check", { service });

  test("health follows what is served, by both names, and an unknown one is not found", async () => {
    let problem: string | null = "weights are missing";
    const server = await served(createHashingEmbedder({ dimensions: 64 }));
    server.health.set(false);
    const client = raw(server.address);
    for (const name of ["", "ragline.v1.Embed"]) {
      problem = null;
      server.health.set(problem === null);
      expect(await check(client, name)).toEqual({ status: "SERVING" });
      server.health.set(false);
      expect(await check(client, name)).toEqual({ status: "NOT_SERVING" });
    }
    await expect(check(client, "no.such.Service")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test("drain: health says so, running calls end, new ones are refused with UNAVAILABLE, then nobody listens", async () => {
    const gate = Promise.withResolvers<void>();
    let begun = 0;
    const slow = withMethods(createHashingEmbedder({ dimensions: 64 }), {
      embed: async (texts) => {
        begun++;
        await gate.promise;
        return texts.map(() => new Float32Array(64));
      },
    });
    const server = await serveOnLoopback({ stage: "embed", port: slow }, { drainMs: 20_000 });
    const [opened] = await embedderOf([server.address]);
    const client = raw(server.address);
    await check(client, "");
    const running = opened?.port.embed(["글"], "query", call());
    await until("the call runs", () => begun === 1);
    const closing = server.close();
    await until("callers know", () => opened?.serving() === false);
    expect(await check(client, "")).toEqual({ status: "NOT_SERVING" });
    const refused: unknown = await rawUnary(client, "ragline.v1.Embed", "Embed", {
      kind: "QUERY",
      texts: ["새"],
    }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: status.UNAVAILABLE, details: "The stage is stopping." });
    gate.resolve();
    expect(await running).toHaveLength(1);
    await closing;
    await expect(check(raw(server.address), "")).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(begun).toBe(1);
  });

  test("drain: a call that does not end is told to, and its caller hears that the stage stops", async () => {
    const { embedder: hangs, state } = hanging();
    const server = await serveOnLoopback({ stage: "embed", port: hangs }, { drainMs: 100 });
    const [opened] = await embedderOf([server.address]);
    const running = opened?.port.embed(["글"], "query", call());
    await until("the call runs", () => state.begun === 1);
    const closing = server.close();
    await expect(running).rejects.toMatchObject({ code: "dependency_failed", retryable: true });
    await closing;
    expect(state.stoppedAt).toBeGreaterThan(0);
  });

  test("a stage that comes back is taken up again by itself", async () => {
    const first = await serveOnLoopback({ stage: "rerank", port: createLexicalReranker() });
    const [opened] = await createGrpcRerankers(clientOptions("rerank", [first.address]));
    toClose.push(async () => opened?.port.close?.());
    expect(opened?.serving()).toBe(true);
    await first.close();
    await until("it is gone", () => opened?.serving() === false);
    const again = await serveOnLoopback({ stage: "rerank", port: createLexicalReranker() }, { port: first.port });
    toClose.push(() => again.close());
    await until("it is back", () => opened?.serving() === true);
    expect(await opened?.port.rerank("휴가", ["휴가", "글"], call())).toHaveLength(2);
  });

  test("reflection lists the services and gives their descriptors, in both versions of the protocol", async () => {
    const client = raw((await served(createHashingEmbedder({ dimensions: 64 }))).address);
    const { path, requestSerialize, responseDeserialize } = methodOf(REFLECTION, "ServerReflectionInfo");
    for (const at of [path, path.replace("v1.", "v1alpha.")]) {
      const stream = client.makeBidiStreamRequest(at, requestSerialize, responseDeserialize, new Metadata());
      const answers: unknown[] = [];
      stream.on("data", (answer: unknown) => answers.push(answer));
      const ended = new Promise<void>((resolve, reject) => stream.on("end", resolve).on("error", reject));
      stream.write({ host: "", listServices: "*" });
      stream.write({ host: "", fileContainingSymbol: "ragline.v1.Embed" });
      stream.write({ host: "", fileContainingSymbol: "no.such.Symbol" });
      stream.end();
      await ended;
      expect(answers).toHaveLength(3);
      expect(JSON.stringify(answers[0])).toContain("ragline.v1.Embed");
      const files = (answers[1] as { fileDescriptorResponse: { fileDescriptorProto: readonly Buffer[] } })
        .fileDescriptorResponse.fileDescriptorProto;
      expect(files[0]?.includes("EmbedResponse")).toBe(true);
      // Strict readers resolve `google.protobuf.Struct` by it.
      expect(files[0]?.includes("\x1a\x15google_protobuf.proto")).toBe(true);
      expect(answers[2]).toMatchObject({ errorResponse: { errorCode: status.NOT_FOUND } });
    }
  });

  test("reflection waits for a caller who asks faster than they read, and answers everything", async () => {
    const client = raw((await served(createHashingEmbedder({ dimensions: 64 }))).address);
    const { path, requestSerialize, responseDeserialize } = methodOf(REFLECTION, "ServerReflectionInfo");
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
    const asked = 300;
    for (let i = 0; i < asked; i++) stream.write({ host: "", fileContainingSymbol: "ragline.v1.Embed" });
    stream.end();
    let answers = 0;
    for await (const _ of stream) answers++;
    expect(answers).toBe(asked);
  });

  test("a write at a search stage has its caller's leaving, deadline and condition, also where the caller's options are no plain object", async () => {
    const seen: unknown[] = [];
    const replace: PassageIndex["replace"] = async (_scope, _document, _passages, options) => {
      options.signal.throwIfAborted();
      seen.push({ readableOnly: options.readableOnly, isBounded: (options.deadline ?? 0) > performance.now() });
    };
    const server = await serveOnLoopback({
      stage: "search",
      use: "stub",
      port: async () => ({ replace }) as Partial<PassageIndex> as PassageIndex,
    });
    toClose.push(() => server.close());
    const space = { model: "m", dimensions: DIMENSIONS };
    const index = only(await createGrpcIndexes(clientOptions("search", [server.address]), space));
    toClose.push(async () => index.close?.());
    const within = new CallWithin({ ...call(), deadline: performance.now() + 20_000 });
    await index.replace(scope(), document("d"), [passage("글", 0)], within);
    await index.replace(scope(), document("d"), [passage("글", 0)], { ...call(), readableOnly: true });
    expect(seen).toEqual([
      { readableOnly: false, isBounded: true },
      { readableOnly: true, isBounded: expect.any(Boolean) },
    ]);
  });

  test("a call without a scope is a bad request, not a crash", async () => {
    const server = await serveOnLoopback({
      stage: "search",
      use: "sqlite",
      port: () => Promise.reject(new Error("not asked for")),
    });
    toClose.push(() => server.close());
    const refused = rawUnary(raw(server.address), "ragline.v1.Search", "Search", { limit: 3 });
    await expect(refused).rejects.toMatchObject({ code: status.INVALID_ARGUMENT } satisfies Partial<ServiceError>);
  });
});
