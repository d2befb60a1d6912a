import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createOpenAiLanguageModel } from "../src/adapters/language-model/openai.ts";
import { ask } from "../src/pipeline/ask.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../src/ports/language-model.ts";
import { collectGarbage } from "../src/resident/reclaim.ts";
import { context, ROOT_CONTEXT, trace } from "../src/telemetry/api.ts";
import { limitedModel } from "../src/wrap/limited.ts";
import { meteredModel } from "../src/wrap/metered.ts";
import { retriedModel } from "../src/wrap/retried.ts";
import { spreadModel } from "../src/wrap/spread.ts";
import { tracedModel } from "../src/wrap/traced.ts";
import { call, until } from "./support/calls.ts";
import { generateRequest } from "./support/requests.ts";
import { fakeStages, modelOf, questionOf, runOf } from "./support/stages.ts";
import { beginStream, chunk } from "./support/stub-model.ts";

const gone = (ref: WeakRef<object>) =>
  until("what is not needed is collected", () => {
    collectGarbage();
    return ref.deref() === undefined;
  });

/** Says one word, then nothing; holds nothing of what it is asked. */
function silent(onAsked: (request: GenerateRequest) => void = () => undefined): LanguageModel {
  return modelOf((request) => {
    onAsked(request);
    const deltas: GenerateDelta[] = [{ type: "text", text: "연차" }];
    const next = async () => {
      const value = deltas.shift();
      return value ? { done: false as const, value } : new Promise<never>(() => undefined);
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  });
}

describe("once a model has begun to write, nothing holds", () => {
  test("the prompt, the vector that it was found with, and what was said before", async () => {
    const held: WeakRef<object>[] = [];
    const embed = async () => {
      const vector = new Float32Array([1, 0]);
      held.push(new WeakRef(vector));
      return [vector];
    };
    const stages = fakeStages({
      embedder: { model: "fake", dimensions: 2, embed },
      model: silent((request) => held.push(new WeakRef(request), ...request.messages.map((one) => new WeakRef(one)))),
      settings: { generateLimits: { firstItemMs: 10_000, silenceMs: 10_000 } },
    });
    const { begin } = stages.sessions;
    stages.sessions.begin = async (...asked) => {
      const begun = await begin(...asked);
      const words = { question: "연차 휴가는?", query: "연차 휴가는?", answer: "15일입니다.", tokens: 20, at: "" };
      const turn = { requestId: "1", number: 1, short: false, status: "complete", ...words } as const;
      held.push(new WeakRef(turn));
      return { ...begun, session: { ...begun.session, turns: [turn], turnCount: 1 } };
    };
    const leaving = new AbortController();
    onTestFinished(() => leaving.abort());
    const run = runOf(stages, { signal: leaving.signal });
    const events = ask(stages, questionOf(), run, () => undefined);
    for (let type = ""; type !== "text-delta"; ) type = (await events.next()).value?.type ?? "";
    const next = events.next();
    expect(held.length).toBeGreaterThanOrEqual(6);
    for (const ref of held) await gone(ref);
    leaving.abort();
    await next;
  });

  describe("its request", () => {
    const manager = new AsyncLocalStorageContextManager();
    beforeEach(() => void context.setGlobalContextManager(manager.enable()));
    afterEach(() => context.disable());

    const tracer = new TracerProvider().getTracer("test");
    const breaker = { failureRatio: 1, slowRatio: 1, slowMs: 1000, windowMs: 1000, callsMin: 1, openMs: 1 };
    const spread = { step: "generate", balance: "least_outstanding", breaker, hedge: false } as const;
    const wrapped: readonly (readonly [string, (model: LanguageModel) => LanguageModel])[] = [
      ["retried", (model) => retriedModel(model, { retries: 1 })],
      ["limited", (model) => limitedModel(model, { concurrencyMax: 1, queueMax: 1 })],
      ["metered", meteredModel],
      ["traced", (model) => tracedModel(model, { tracer, provider: "openai", content: false })],
      ["spread", (port) => spreadModel([{ name: "a", port }], spread).port],
    ];

    test.each(wrapped)("where it is %s", async (_, wrap) => {
      const model = wrap(silent());
      const within = trace.setSpan(ROOT_CONTEXT, tracer.startSpan("answer"));
      const { stream, ref } = context.with(within, () => {
        const request = generateRequest("연차", []);
        return { stream: model.stream(request, call())[Symbol.asyncIterator](), ref: new WeakRef(request) };
      });
      await context.with(within, () => stream.next());
      void stream.next();
      await gone(ref);
    });
  });

  test("what was sent to an endpoint, as objects or as bytes", async () => {
    const server = createServer((incoming, response) => {
      incoming.resume().on("end", () => {
        beginStream(response);
        response.write(chunk.text("연차"));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    const model = createOpenAiLanguageModel({ baseUrl, model: "m", contextTokensMax: 1000, temperature: null });
    const bytes = 16 * 1024 * 1024;
    const held = () => {
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const leaving = new AbortController();
    onTestFinished(() => leaving.abort());
    const before = held();
    const { stream, ref } = (() => {
      const request = generateRequest("x".repeat(bytes), []);
      return { stream: model.stream(request, call(leaving.signal))[Symbol.asyncIterator](), ref: new WeakRef(request) };
    })();
    await stream.next();
    stream.next().catch(() => undefined);
    await gone(ref);
    await until("the bytes are let go", () => held() - before < bytes / 2);
  });
});
