import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { ask } from "../../src/pipeline/ask.ts";
import { MESSAGE_TOKENS, REPLY_TOKENS } from "../../src/pipeline/budget.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import { type AnswerEvent, STEPS } from "../../src/types.ts";
import { retriedModel } from "../../src/wrap/retried.ts";
import { sleep } from "../support/calls.ts";
import {
  askAll,
  broken,
  endOf,
  errorOf,
  fails,
  fakeStages,
  hang,
  memoryCache,
  modelOf,
  questionOf,
  runOf,
  saying,
  withIndex,
  withSessions,
} from "../support/stages.ts";

describe("generate", () => {
  test("a model that fails before its first word is asked once more", async () => {
    let tries = 0;
    const model = modelOf(async function* () {
      if (++tries === 1) throw broken();
      yield { type: "text", text: "네" };
      yield { type: "end", finishReason: "stop" };
    });
    const { last, text } = await askAll(fakeStages({ model: retriedModel(model, { retries: 1 }) }));
    expect([tries, text]).toEqual([2, "네"]);
    expect(endOf(last).finishReason).toBe("stop");
  });

  test("a model that fails after a word is not asked again: the words so far are kept as failed", async () => {
    const cache = memoryCache();
    const stages = fakeStages({ cache, model: saying("연차는", " 15", broken()) });
    const { last, text } = await askAll(stages);
    expect(text).toBe("연차는 15");
    expect(errorOf(last).error).toMatchObject({ code: "dependency_failed", step: "generate" });
    expect(stages.turns).toMatchObject([{ answer: "연차는 15", status: "failed" }]);
    expect(cache.entries.size).toBe(0);
  });

  test("counting learns what the endpoint has counted of the prompt's texts", async () => {
    const told: number[] = [];
    const compare = () => (tokens: number) => void told.push(tokens);
    const counter = { name: "characters", count: (text: string) => text.length, compare };
    const model = modelOf(async function* () {
      await sleep(10);
      yield { type: "text", text: "15일" };
      yield { type: "end", finishReason: "stop", usage: { promptTokens: 111, completionTokens: 3 } };
    });
    const { last } = await askAll(fakeStages({ counter, model }));
    expect(endOf(last).usage).toEqual({ promptTokens: 111, completionTokens: 3 });
    expect(told).toEqual([111 - 2 * MESSAGE_TOKENS - REPLY_TOKENS]);
  });

  test("what a model thinks is neither shown nor stored", async () => {
    const model = modelOf(async function* () {
      yield { type: "reasoning", text: "음, 연차라면" };
      yield { type: "text", text: "15일" };
      yield { type: "reasoning", text: "맞나?" };
      yield { type: "text", text: "입니다." };
      yield { type: "end", finishReason: "stop" };
    });
    const stages = fakeStages({ model });
    expect((await askAll(stages)).text).toBe("15일입니다.");
    expect(stages.turns).toMatchObject([{ answer: "15일입니다." }]);
  });

  test("the question's lease is renewed while it is answered, and no longer", async () => {
    const base = fakeStages({ settings: { leaseMs: 30 } });
    let renewals = 0;
    const model = modelOf(async function* () {
      await sleep(60);
      yield { type: "text", text: "네" };
      yield { type: "end", finishReason: "stop" };
    });
    const renew = async () => void renewals++;
    await askAll({ ...base, model, sessions: { ...base.sessions, renew } });
    expect(renewals).toBeGreaterThan(0);
    const after = renewals;
    await sleep(60);
    expect(renewals).toBe(after);
  });

  test("a model that falls silent ends after the silence, however long it had talked", async () => {
    const model = modelOf(async function* () {
      for (let i = 0; i < 6; i++) {
        await sleep(30);
        yield { type: "text", text: ` ${i}` };
      }
      await hang();
    });
    const stages = fakeStages({ model });
    const { last, text } = await askAll(stages);
    expect(text).toBe(" 0 1 2 3 4 5");
    expect(errorOf(last).error).toMatchObject({ code: "dependency_timeout", step: "generate" });
    expect(stages.turns).toMatchObject([{ status: "failed", answer: text }]);
  });

  test("a slow reader is not the model's silence", async () => {
    const stages = fakeStages({ model: saying("하나 ", "둘 ", "셋") });
    const events: AnswerEvent[] = [];
    for await (const event of ask(stages, questionOf(), runOf(stages), () => undefined)) {
      events.push(event);
      if (event.type === "text-delta") await sleep(150);
    }
    expect(events.at(-1)?.type).toBe("answer-end");
  });

  test("a model that never begins, and ignores its signal: the limit, then one error", async () => {
    const startedAt = performance.now();
    const { last } = await askAll(
      fakeStages({ model: modelOf(() => ({ [Symbol.asyncIterator]: () => ({ next: hang }) })) }),
    );
    expect(errorOf(last).error).toMatchObject({ code: "dependency_timeout", step: "generate", retryable: true });
    expect(performance.now() - startedAt).toBeLessThan(600);
  });

  test("an answer that takes longer than the request's limit is stored all the same", async () => {
    const model = modelOf(async function* () {
      for (let i = 0; i < 8; i++) {
        await sleep(40);
        yield { type: "text", text: ` ${i}` };
      }
      yield { type: "end", finishReason: "stop" };
    });
    const finish: Stages["sessions"]["finish"] = async () => sleep(20);
    const { last, text } = await askAll(fakeStages({ model, ...withSessions({ finish }) }), questionOf(), {
      timeoutMs: 200,
    });
    expect(text).toBe(" 0 1 2 3 4 5 6 7");
    expect(endOf(last).degraded).toEqual([]);
  });
});

describe("save", () => {
  test.each([
    ["fails", fails],
    ["hangs", hang],
  ])("a store that %s at the end: the reader has everything, and is told", async (_, finish) => {
    const { last, text } = await askAll(fakeStages(withSessions({ finish })));
    expect(text).toBe("연차는 15일입니다 [1].");
    expect(endOf(last).degraded).toMatchObject([{ step: "save", fallback: expect.stringContaining("not stored") }]);
  });

  test("a caller who leaves after the last word still has the turn stored as complete, and nothing throws", async () => {
    const controller = new AbortController();
    const stages = fakeStages();
    const store: Stages["sessions"]["finish"] = async (_scope, _id, turn, { signal }) => {
      await sleep(10);
      signal.throwIfAborted();
      stages.turns.push({ ...turn, number: 1, short: false });
    };
    const leaving = { ...stages, sessions: { ...stages.sessions, finish: store } };
    await askAll({ ...leaving, model: leavingModel(controller) }, questionOf(), { signal: controller.signal });
    expect(stages.turns).toMatchObject([{ status: "complete" }]);
  });

  /** The caller leaves in the very moment in which the stream ends. */
  function leavingModel(controller: AbortController): Stages["model"] {
    return modelOf(async function* () {
      yield { type: "text", text: "네" };
      yield { type: "end", finishReason: "stop" };
      setImmediate(() => controller.abort());
    });
  }
});

describe("the caller's signal", () => {
  test("keeps no listener after answers, failures and degraded steps", async () => {
    const { signal } = new AbortController();
    const rerank = () => hang();
    await askAll(fakeStages({ reranker: { model: "f", rerank } }), questionOf(), { signal });
    await askAll(fakeStages(withIndex(fails)), questionOf(), { signal });
    await askAll(fakeStages({ model: saying("a", broken()) }), questionOf(), { signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("nor after a reader who stops early", async () => {
    const { signal } = new AbortController();
    const stages = fakeStages();
    for await (const event of ask(stages, questionOf(), runOf(stages, { signal }), () => undefined)) {
      if (event.type === "text-delta") break;
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test.each(["answer-start", "source-list", "text-delta"] as const)(
    "a caller who aborts at %s: interrupted, and the work stops",
    async (at) => {
      const controller = new AbortController();
      const stages = fakeStages();
      const { last } = await askAll(stages, questionOf(), {
        signal: controller.signal,
        onEvent: ({ type }) => void (type === at && controller.abort()),
      });
      expect(errorOf(last).error).toMatchObject({ code: "cancelled" });
      expect(stages.turns).toMatchObject([{ status: "interrupted" }]);
    },
  );

  test("a reader who stops early: interrupted with the text so far, stored afterwards", async () => {
    const stages = fakeStages();
    const tasks: ((call: { signal: AbortSignal }) => Promise<unknown>)[] = [];
    for await (const event of ask(stages, questionOf(), runOf(stages), (task) => tasks.push(task))) {
      if (event.type === "text-delta") break;
    }
    for (const task of tasks) await task({ signal: new AbortController().signal });
    expect(stages.turns).toMatchObject([{ status: "interrupted", answer: "연차는" }]);
  });
});

test("the timings name the steps that ran, and no other", async () => {
  const { run } = await askAll(fakeStages());
  expect(Object.keys(run.timeline.timings)).toEqual(
    expect.arrayContaining(["session", "embed", "search", "generate", "save"]),
  );
  expect(Object.keys(run.timeline.timings).filter((step) => !(STEPS as readonly string[]).includes(step))).toEqual([]);
  // There is neither a cache nor a reranker.
  expect(run.timeline.timings).not.toHaveProperty("cache");
  expect(run.timeline.timings).not.toHaveProperty("rerank");
});
