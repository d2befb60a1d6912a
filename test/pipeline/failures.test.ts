import { describe, expect, test, vi } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { ask } from "../../src/pipeline/ask.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import type { SearchQuery } from "../../src/ports/passage-index.ts";
import type { AnswerEvent, FinishReason } from "../../src/types.ts";
import { retriedSearches } from "../../src/wrap/retried.ts";
import { sleep } from "../support/calls.ts";
import {
  askAll,
  broken,
  endOf,
  errorOf,
  FOUND,
  fails,
  fakeStages,
  hang,
  memoryCache,
  modelOf,
  questionOf,
  runOf,
  withIndex,
  withSessions,
} from "../support/stages.ts";

describe("session", () => {
  test.each([
    ["fails", fails, "dependency_failed"],
    ["hangs", hang, "dependency_timeout"],
  ])("a store that %s: ask rejects before anything has begun", async (_, begin, code) => {
    await expect(askAll(fakeStages(withSessions({ begin })))).rejects.toMatchObject({ code, step: "session" });
  });
});

describe("cache", () => {
  test.each([
    ["fails", fails, "dependency_failed"],
    ["hangs", hang, "dependency_timeout"],
  ])("a cache that %s counts as a miss, and it is said", async (_, find, reason) => {
    const { last, text } = await askAll(fakeStages({ cache: { ...memoryCache(), find } }));
    expect(text).toContain("15일");
    expect(endOf(last)).toMatchObject({ cached: false, degraded: [{ step: "cache", reason }] });
  });

  test("a cache that cannot store costs nobody an answer", async () => {
    const stages = fakeStages({ cache: { ...memoryCache(), put: fails } });
    const events: AnswerEvent[] = [];
    const tasks: (() => Promise<unknown>)[] = [];
    const later = (task: (call: { signal: AbortSignal }) => Promise<unknown>) =>
      tasks.push(() => task({ signal: new AbortController().signal }));
    for await (const event of ask(stages, questionOf(), runOf(stages), later)) events.push(event);
    expect(events.at(-1)?.type).toBe("answer-end");
    const outcomes = await Promise.allSettled(tasks.map((task) => task()));
    expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
  });
});

describe("embed and search", () => {
  test.each([
    ["fails", fails],
    ["hangs", hang],
  ])("an embedder that %s: text alone is searched", async (_, embed) => {
    const queries: SearchQuery[] = [];
    const search: Stages["index"]["search"] = async (_scope, query) => {
      queries.push(query);
      return { byText: FOUND, byVector: [] };
    };
    const { last } = await askAll(fakeStages({ ...withIndex(search), embedder: { model: "f", dimensions: 2, embed } }));
    expect(queries).toHaveLength(1);
    expect(queries[0]).toMatchObject({ text: "연차 휴가는 며칠인가요?" });
    expect(queries[0]).not.toHaveProperty("vector");
    expect(endOf(last).degraded).toMatchObject([{ step: "embed", fallback: expect.stringContaining("text") }]);
  });

  /** As a server that is stopped: nothing comes until the caller has had enough, and a moment longer. */
  const untilAborted = (_scope: unknown, { signal }: { readonly signal: AbortSignal }) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => setTimeout(reject, 5, signal.reason)));
  const fusedAs = (load: typeof untilAborted) => ({
    index: { ...fakeStages().index, fusion: { load } as unknown as NonNullable<Stages["index"]["fusion"]> },
  });

  test("an index that does not say how its legs are fused is search that hangs, not the embedder", async () => {
    const { last } = await askAll(fakeStages(fusedAs(untilAborted)));
    expect(errorOf(last).error).toMatchObject({ code: "dependency_timeout", step: "search" });
  });

  test("how the legs are fused is asked again by search, where the embedder's time was up for it", async () => {
    let asked = 0;
    const load: typeof untilAborted = (...call) =>
      asked++ === 0 ? untilAborted(...call) : (Promise.resolve(null) as never);
    const { last } = await askAll(fakeStages(fusedAs(load)));
    expect(endOf(last).degraded).toMatchObject([{ step: "embed", reason: "dependency_timeout" }]);
  });

  test("search that fails once is tried again, and nothing is degraded", async () => {
    let tries = 0;
    const search: Stages["index"]["search"] = async () => {
      if (++tries === 1) throw broken();
      return { byText: FOUND, byVector: [] };
    };
    const { last } = await askAll(
      fakeStages({ index: retriedSearches(fakeStages(withIndex(search)).index, { retries: 1 }) }),
    );
    expect(tries).toBe(2);
    expect(endOf(last).degraded).toEqual([]);
  });

  test("search that fails ends the answer with its step; the failed turn is stored", async () => {
    const search = vi.fn(fails);
    const stages = fakeStages(withIndex(search));
    const { events } = await askAll(stages);
    expect(events.map(({ type }) => type)).toEqual(["answer-start", "answer-error"]);
    expect(events[1]).toMatchObject({ error: { code: "dependency_failed", step: "search", retryable: true } });
    expect(stages.turns).toMatchObject([{ status: "failed", answer: "" }]);
  });

  test("a refusal is not tried again", async () => {
    const refuse = vi.fn(() => Promise.reject(new RaglineError("request_invalid", "filter.x: no such field")));
    const { last } = await askAll(fakeStages(withIndex(refuse)));
    expect(errorOf(last).error).toMatchObject({ code: "request_invalid", step: "search" });
    expect(refuse).toHaveBeenCalledTimes(1);
  });

  test("search that hangs ends within its limit, retries included", async () => {
    const startedAt = performance.now();
    const { last } = await askAll(fakeStages(withIndex(hang)));
    expect(errorOf(last).error).toMatchObject({ code: "dependency_timeout", step: "search" });
    expect(performance.now() - startedAt).toBeLessThan(400);
  });
});

describe("rerank", () => {
  const rerankers: readonly (readonly [
    string,
    () => Promise<never> | Promise<{ index: number; score: number }[]>,
    string,
  ])[] = [
    ["hangs", hang, "dependency_timeout"],
    ["fails", fails, "dependency_failed"],
    ["names a passage that is not there", async () => [{ index: 99, score: 1 }], "dependency_failed"],
    ["names one twice", async () => [0, 0, 1, 2].map((index) => ({ index, score: 1 })), "dependency_failed"],
    ["leaves some out", async () => [{ index: 0, score: 1 }], "dependency_failed"],
    ["breaks with an error of its own", () => Promise.reject(new TypeError("x")), "internal"],
  ];
  test.each(rerankers)(
    "a reranker that %s: the order of search is kept within the limit, and it is said",
    async (_, rerank, reason) => {
      const { events, last, run } = await askAll(fakeStages({ reranker: { model: "f", rerank } }));
      const [, list] = events;
      expect(list?.type === "source-list" && list.sources.map(({ documentId }) => documentId)).toEqual(["a", "b", "c"]);
      expect(endOf(last).degraded).toMatchObject([
        { step: "rerank", reason, fallback: expect.stringContaining("search") },
      ]);
      expect(run.timeline.timings.rerank).toBeLessThan(150);
    },
  );

  test("a degraded answer is not cached", async () => {
    const cache = memoryCache();
    await askAll(fakeStages({ cache, reranker: { model: "f", rerank: fails } }));
    expect(cache.entries.size).toBe(0);
  });
});

describe("generate", () => {
  const ending = (finishReason: FinishReason, ...texts: string[]) =>
    fakeStages({
      model: modelOf(async function* () {
        for (const text of texts) yield { type: "text", text };
        yield { type: "end", finishReason };
      }),
    });

  test.each([
    ["nothing", []],
    ["white space alone", [" ", "\n"]],
    ["a citation of nothing alone", ["[9]"]],
  ] as const)("a model that says %s has failed, and is not cached", async (_, texts) => {
    const cache = memoryCache();
    const stages = { ...ending("stop", ...texts), cache };
    const { last } = await askAll(stages);
    expect(errorOf(last).error).toMatchObject({ code: "dependency_failed", step: "generate", retryable: true });
    expect(stages.turns).toMatchObject([{ status: "failed" }]);
    expect(cache.entries.size).toBe(0);
  });

  test.each([
    ["length", true, /used up its output \(prompt\.expectedOutputTokens\)/],
    ["content_filter", false, /content filter withheld/],
  ] as const)("a model that says nothing because of %s has failed for that", async (why, retryable, message) => {
    const { last } = await askAll(ending(why, " "));
    const expected = {
      code: "dependency_failed",
      step: "generate",
      retryable,
      message: expect.stringMatching(message),
    };
    expect(errorOf(last).error).toMatchObject(expected);
  });

  test("a model that thinks beyond its output, and says no word, has failed", async () => {
    const model = modelOf(async function* () {
      while (true) yield { type: "reasoning", text: "음 ".repeat(100) };
    });
    const { last } = await askAll(fakeStages({ model }));
    expect(errorOf(last).error).toMatchObject({ code: "dependency_failed", message: expect.stringMatching(/used up/) });
  });

  test("a first delta beyond the whole output is cut, without half a character or half a citation", async () => {
    const model = modelOf(async function* () {
      yield { type: "text", text: `${"가".repeat(1996)}[9]😀 더` };
      yield { type: "text", text: "더" };
    });
    const { last, text } = await askAll(fakeStages({ model }));
    expect([text, endOf(last).finishReason]).toEqual(["가".repeat(1996), "length"]);
  });

  test("white space before the first word comes with it", async () => {
    const { events } = await askAll(ending("stop", "\n", "  ", "    코드", " "));
    expect(events.flatMap((event) => (event.type === "text-delta" ? [event.text] : []))).toEqual(["\n      코드", " "]);
  });

  test.each([
    ["thinks", { type: "reasoning", text: "음 " }],
    ["writes white space", { type: "text", text: "\n" }],
  ] as const)("a model that only %s is cut when the request's time is over", async (_, delta) => {
    const model = modelOf(async function* (_request, { signal }) {
      while (!signal.aborted) {
        yield delta;
        await sleep(10);
      }
    });
    const startedAt = performance.now();
    const { last } = await askAll(fakeStages({ model, settings: { expectedOutputTokens: 5000 } }), questionOf(), {
      timeoutMs: 300,
    });
    expect(errorOf(last).error).toMatchObject({ code: "dependency_timeout", step: "generate" });
    expect(performance.now() - startedAt).toBeLessThan(600);
  });
});
