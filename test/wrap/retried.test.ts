import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { GenerateDelta } from "../../src/ports/language-model.ts";
import { retriedEmbedder, retriedModel, retriedReranker } from "../../src/wrap/retried.ts";
import { RetryBudget } from "../../src/wrap/retry-budget.ts";
import { call, collect } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { modelOf } from "../support/stages.ts";

const failed = (options = {}) => new RaglineError("dependency_failed", "broken", options);
const embedderOf = (embed: Embedder["embed"]): Embedder => ({ model: "m", dimensions: 1, embed });
const vector = [new Float32Array([1])];
const REQUEST = generateRequest("연차", []);

describe("a call", () => {
  test("that fails and may pass is made again; the port is otherwise the same", async () => {
    const embed = vi.fn<Embedder["embed"]>().mockRejectedValueOnce(failed()).mockResolvedValue(vector);
    const embedder = retriedEmbedder(embedderOf(embed), { retries: 1 });
    expect([embedder.model, embedder.dimensions]).toEqual(["m", 1]);
    expect(await embedder.embed(["가"], "query", call())).toBe(vector);
    expect(embed).toHaveBeenCalledTimes(2);
  });

  test.each([
    ["what no retry mends", failed({ retryable: false })],
    ["a full queue", new RaglineError("overloaded", "full")],
    ["a caller who left", new RaglineError("cancelled", "left")],
    ["a refusal", new RaglineError("request_invalid", "no")],
    ["a fault of ours", new TypeError("x")],
  ])("is not made again for %s", async (_, error) => {
    const rerank = vi.fn(() => Promise.reject(error));
    await expect(
      retriedReranker({ model: "m", rerank }, { retries: 3 }).rerank("q", ["a"], call()),
    ).rejects.toBeDefined();
    expect(rerank).toHaveBeenCalledTimes(1);
  });

  test("is made as often as is allowed, and no more", async () => {
    const embed = vi.fn(() => Promise.reject(failed()));
    await expect(
      retriedEmbedder(embedderOf(embed), { retries: 2 }).embed(["a"], "query", call()),
    ).rejects.toBeDefined();
    expect(embed).toHaveBeenCalledTimes(3);
  });

  test("waits for as long as the upstream asked", async () => {
    const embed = vi
      .fn<Embedder["embed"]>()
      .mockRejectedValueOnce(failed({ retryAfterMs: 120 }))
      .mockResolvedValue(vector);
    const startedAt = performance.now();
    await retriedEmbedder(embedderOf(embed), { retries: 1 }).embed(["a"], "query", call());
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119);
  });

  test("is given up at once where the deadline comes before the next try, with its own failure", async () => {
    const embed = vi.fn(() => Promise.reject(failed({ retryAfterMs: 5000 })));
    const startedAt = performance.now();
    const options = { ...call(), deadline: startedAt + 1000 };
    const pending = retriedEmbedder(embedderOf(embed), { retries: 1 }).embed(["a"], "query", options);
    await expect(pending).rejects.toMatchObject({ code: "dependency_failed" });
    expect(performance.now() - startedAt).toBeLessThan(200);
  });

  test("a caller who leaves ends the wait", async () => {
    const embed = vi.fn(() => Promise.reject(failed({ retryAfterMs: 5000 })));
    const startedAt = performance.now();
    const signal = AbortSignal.timeout(30);
    await expect(
      retriedEmbedder(embedderOf(embed), { retries: 1 }).embed(["a"], "query", call(signal)),
    ).rejects.toBeDefined();
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(embed).toHaveBeenCalledTimes(1);
  });
});

test("callers who have left use up no tries of those who stay", async () => {
  const embed = vi.fn<Embedder["embed"]>(() => Promise.reject(failed()));
  const embedder = retriedEmbedder(embedderOf(embed), { retries: 1 });
  const left = call(AbortSignal.abort(new RaglineError("cancelled", "left")));
  for (let i = 0; i < 5; i++) await expect(embedder.embed(["가"], "query", left)).rejects.toBeDefined();
  embed.mockRejectedValueOnce(failed()).mockResolvedValueOnce(vector);
  expect(await embedder.embed(["가"], "query", call())).toBe(vector);
});

describe("a stream", () => {
  test("is opened again before its first delta", async () => {
    let tries = 0;
    const model = modelOf(async function* (): AsyncGenerator<GenerateDelta> {
      if (++tries === 1) throw failed();
      yield { type: "text", text: "네" };
      yield { type: "end", finishReason: "stop" };
    });
    const deltas = await collect(retriedModel(model, { retries: 1 }).stream(REQUEST, call()));
    expect(deltas.map(({ type }) => type)).toEqual(["text", "end"]);
    expect(tries).toBe(2);
  });

  test.each(["text", "reasoning"] as const)("never after the first delta (%s)", async (type) => {
    let tries = 0;
    const model = modelOf(async function* (): AsyncGenerator<GenerateDelta> {
      tries++;
      yield { type, text: "반쪽" };
      throw failed();
    });
    const deltas: GenerateDelta[] = [];
    const reading = (async () => {
      for await (const delta of retriedModel(model, { retries: 3 }).stream(REQUEST, call())) deltas.push(delta);
    })();
    await expect(reading).rejects.toMatchObject({ code: "dependency_failed" });
    expect([tries, deltas.length]).toEqual([1, 1]);
  });

  test("a reader who stops closes the source", async () => {
    let closed = false;
    const model = modelOf(async function* (): AsyncGenerator<GenerateDelta> {
      try {
        yield { type: "text", text: "네" };
        yield { type: "end", finishReason: "stop" };
      } finally {
        closed = true;
      }
    });
    for await (const _ of retriedModel(model, { retries: 1 }).stream(REQUEST, call())) break;
    expect(closed).toBe(true);
  });
});

describe("the budget", () => {
  test("10,000 requests that all fail: further tries are at most a tenth", async () => {
    const budget = new RetryBudget(() => 0);
    let calls = 0;
    for (let i = 0; i < 10_000; i++) {
      budget.request();
      calls++;
      while (budget.take()) calls++;
    }
    expect(calls).toBeLessThanOrEqual(11_000);
    expect(calls).toBeGreaterThan(10_900);
  });

  test("whatever happens when: never more than a tenth, or three, of the requests that count", () => {
    const events = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 500 }), failed: fc.boolean() }), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(events, (all) => {
        let now = 0;
        const budget = new RetryBudget(() => now);
        const requests: number[] = [];
        const retries: number[] = [];
        const weight = (times: readonly number[]) => times.reduce((sum, at) => sum + Math.exp((at - now) / 10_000), 0);
        for (const { afterMs, failed } of all) {
          now += afterMs;
          budget.request();
          requests.push(now);
          if (failed && budget.take()) retries.push(now);
          expect(weight(retries)).toBeLessThanOrEqual(Math.max(3, 0.1 * weight(requests)) + 1e-6);
        }
      }),
    );
  });

  test("a dependency that is down gets 10% on top and no more; each of its callers is told", {
    timeout: 20_000,
  }, async () => {
    let calls = 0;
    const embedder = retriedEmbedder(
      embedderOf(() => {
        calls++;
        return Promise.reject(failed());
      }),
      { retries: 3 },
    );
    const outcomes = await Promise.allSettled(
      Array.from({ length: 1000 }, () => embedder.embed(["a"], "query", call())),
    );
    expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
    expect(calls).toBeLessThanOrEqual(1100);
    expect(calls).toBeGreaterThan(1050);
  });

  test("a lone reader's question is tried again", () => {
    let now = 0;
    const budget = new RetryBudget(() => now);
    budget.request();
    expect([budget.take(), budget.take(), budget.take(), budget.take()]).toEqual([true, true, true, false]);
    now = 60_000;
    expect(budget.take()).toBe(true);
  });
});
