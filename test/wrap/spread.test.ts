import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { GenerateDelta, LanguageModel } from "../../src/ports/language-model.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Reranker } from "../../src/ports/reranker.ts";
import type { CallOptions } from "../../src/types.ts";
import { retriedReranker } from "../../src/wrap/retried.ts";
import {
  type Endpoint,
  type SpreadOptions,
  spreadEmbedder,
  spreadModel,
  spreadReranker,
  spreadSearches,
} from "../../src/wrap/spread.ts";
import { call, collect, sleep } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { fakeStages, modelOf } from "../support/stages.ts";

const BREAKER = { failureRatio: 0.5, slowRatio: 0.8, slowMs: 60, windowMs: 10_000, callsMin: 4, openMs: 150 };
const OPTIONS: SpreadOptions = { step: "rerank", balance: "least_outstanding", breaker: BREAKER, hedge: false };
const REQUEST = generateRequest("연차", []);
const failed = (options = {}) => new RaglineError("dependency_failed", "broken", options);

type Rerank = (call: CallOptions) => Promise<unknown>;

/** An endpoint that answers after `work` with its own name's length as the score. */
function endpoint(name: string, work: Rerank = async () => undefined): Endpoint<Reranker> & { calls: number } {
  const at = {
    name,
    calls: 0,
    port: {
      model: "m",
      async rerank(_query: string, texts: readonly string[], options: CallOptions) {
        at.calls++;
        await work(options);
        return texts.map((_, index) => ({ index, score: name.length }));
      },
    },
  };
  return at;
}

/** Never ends but by its signal. */
const hanging: Rerank = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
const failing: Rerank = () => Promise.reject(failed());

/** A caller whose time is up after so long, as `run.ts` tells it. */
function until(ms: number): CallOptions {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new RaglineError("dependency_timeout", "No answer.")), ms);
  return { signal: controller.signal };
}

/** Endpoints that note who was closed; the first fails to. */
function closing<P>(port: P): { readonly endpoints: readonly Endpoint<P>[]; readonly closed: readonly string[] } {
  const closed: string[] = [];
  const named = (name: string): Endpoint<P> => ({
    name,
    port: {
      ...port,
      async close() {
        closed.push(name);
        if (name === "a") throw failed();
      },
    },
  });
  return { endpoints: [named("a"), named("b")], closed };
}

const ask = (port: Reranker, options: CallOptions = call()) => port.rerank("질문", ["글"], options);
const settled = (port: Reranker, times: number, options?: CallOptions) =>
  Promise.allSettled(Array.from({ length: times }, () => ask(port, options ?? call())));

describe("balancing", () => {
  test("round robin takes turns", async () => {
    const all = ["a", "b", "c"].map((name) => endpoint(name));
    const { port } = spreadReranker(all, { ...OPTIONS, balance: "round_robin" });
    for (let i = 0; i < 9; i++) await ask(port);
    expect(all.map(({ calls }) => calls)).toEqual([3, 3, 3]);
  });

  test("least outstanding leaves the one alone that has most to do", async () => {
    const slow = endpoint("slow", () => sleep(200));
    const quick = endpoint("quick");
    const { port } = spreadReranker([slow, quick], OPTIONS);
    const long = ask(port).then(() => ask(port));
    await sleep(1);
    for (let i = 0; i < 20; i++) await ask(port);
    expect(slow.calls).toBe(1);
    await long;
  });

  test("never more than one call apart where all take the same time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 40 }), async (endpoints, calls) => {
        const all = Array.from({ length: endpoints }, (_, i) => endpoint(`${i}`, () => sleep(1)));
        const { port } = spreadReranker(all, OPTIONS);
        await settled(port, calls);
        const counts = all.map((one) => one.calls);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 20 },
    );
  });

  test("follows what an endpoint says of itself; where none serves it fails at once", async () => {
    let serves = [false, true];
    const all = ["a", "b"].map((name, i) => ({ ...endpoint(name), serving: () => serves[i] ?? false }));
    const { port, states } = spreadReranker(all, OPTIONS);
    for (let i = 0; i < 3; i++) expect(await ask(port)).toEqual([{ index: 0, score: 1 }]);
    expect(states().map(({ serving, calls }) => [serving, calls])).toEqual([
      [false, 0],
      [true, 3],
    ]);
    serves = [false, false];
    await expect(ask(port)).rejects.toMatchObject({ code: "dependency_failed", step: "rerank", retryable: true });
  });

  test("the next try goes elsewhere, and does not wait for what one endpoint asked for", async () => {
    const bad = endpoint("bad", () => Promise.reject(failed({ retryAfterMs: 60_000 })));
    const good = endpoint("good");
    const { port } = spreadReranker([bad, good], OPTIONS);
    const retried = retriedReranker(port, { retries: 1 });
    for (let i = 0; i < 6; i++) expect(await ask(retried)).toMatchObject([{ score: 4 }]);
    expect(bad.calls).toBe(1);
  });

  test("an endpoint that asked for rest is left alone for so long", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const bad = endpoint("bad", () => Promise.reject(failed({ retryAfterMs: 60_000 })));
    const { port } = spreadReranker([bad, endpoint("good")], { ...OPTIONS, balance: "round_robin" });
    const retried = retriedReranker(port, { retries: 1 });
    const callsAfter = async (ms: number) => {
      vi.advanceTimersByTime(ms);
      for (let i = 0; i < 4; i++) await ask(retried);
      return bad.calls;
    };
    expect([await callsAfter(0), await callsAfter(50_000), await callsAfter(11_000)]).toEqual([1, 1, 2]);
  });
});

describe("a breaker an endpoint", () => {
  test("one endpoint that fails: after a few calls the next fail at once, until a probe finds it well", async () => {
    let work = failing;
    const only = endpoint("only", (options) => work(options));
    const { port, states } = spreadReranker([only], OPTIONS);
    await settled(port, 4);
    expect(states()).toMatchObject([{ breaker: "open", calls: 4, failures: 4, inFlight: 0 }]);
    const refused = await ask(port).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ code: "overloaded", step: "rerank", retryable: true });
    expect((refused as RaglineError).retryAfterMs).toBeGreaterThan(0);
    expect((refused as RaglineError).retryAfterMs).toBeLessThanOrEqual(150);
    expect(only.calls).toBe(4);
    work = async () => undefined;
    await sleep(160);
    expect(states()).toMatchObject([{ breaker: "half-open" }]);
    const [first, second] = await settled(port, 2);
    // One probe at a time.
    expect([first?.status, second?.status]).toEqual(["fulfilled", "rejected"]);
    await ask(port);
    expect(states()).toMatchObject([{ breaker: "closed" }]);
  });

  test("one that says that it serves again is judged anew", async () => {
    let serves = true;
    const only = { ...endpoint("only", failing), serving: () => serves };
    const { port, states } = spreadReranker([only], OPTIONS);
    await settled(port, 4);
    expect(states()).toMatchObject([{ breaker: "open" }]);
    serves = false;
    await expect(ask(port)).rejects.toMatchObject({ message: "No endpoint of rerank is serving." });
    serves = true;
    await expect(ask(port)).rejects.toMatchObject({ code: "dependency_failed" });
    expect(states()).toMatchObject([{ breaker: "closed", calls: 5 }]);
  });

  test("one that hangs opens it by its callers' deadlines", async () => {
    const { port, states } = spreadReranker([endpoint("hung", hanging)], OPTIONS);
    await Promise.allSettled(Array.from({ length: 4 }, () => ask(port, until(70))));
    expect(states()).toMatchObject([{ breaker: "open", failures: 4 }]);
  });

  test("one that is slow opens it though it answers", async () => {
    const { port, states } = spreadReranker([endpoint("slow", () => sleep(70))], OPTIONS);
    await settled(port, 4);
    expect(states()).toMatchObject([{ breaker: "open", failures: 0 }]);
  });

  test.each<[string, Rerank, () => CallOptions]>([
    ["a request that is refused", () => Promise.reject(failed({ retryable: false })), () => call()],
    ["a full queue", () => Promise.reject(new RaglineError("overloaded", "full")), () => call()],
    ["too little time", hanging, () => until(10)],
    [
      "a caller who leaves",
      hanging,
      () => ({ signal: AbortSignal.any([until(80).signal, abortedAfter(70, new RaglineError("cancelled", "left"))]) }),
    ],
  ])("%s says nothing of the endpoint", async (_, work, options) => {
    const { port, states } = spreadReranker([endpoint("only", work)], OPTIONS);
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => ask(port, options())));
    expect(all.every(({ status }) => status === "rejected")).toBe(true);
    expect(states()).toMatchObject([{ breaker: "closed", calls: 8, failures: 0, inFlight: 0 }]);
  });

  test("calls go on at the others", async () => {
    const bad = endpoint("bad", failing);
    const all = [bad, endpoint("good")];
    const { port } = spreadReranker(all, { ...OPTIONS, balance: "round_robin" });
    let rejected = 0;
    for (let i = 0; i < 40; i++) await ask(port).catch(() => rejected++);
    expect(rejected).toBe(1);
  });

  test("texts that are indexed may take their time, and are cut like all else", async () => {
    const embed = vi.fn<Embedder["embed"]>(async () => {
      await sleep(70);
      return [new Float32Array([1])];
    });
    const embedder: Embedder = { model: "m", dimensions: 1, embed };
    const { port, states } = spreadEmbedder([{ name: "a", port: embedder }], { ...OPTIONS, step: "embed" });
    await Promise.all(Array.from({ length: 5 }, () => port.embed(["글"], "passage", call())));
    expect(states()).toMatchObject([{ breaker: "closed", step: "embed" }]);
    await Promise.all(Array.from({ length: 30 }, () => port.embed(["질문"], "query", call())));
    expect(states()).toMatchObject([{ breaker: "open" }]);
  });
});

function abortedAfter(ms: number, reason: unknown): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms);
  return controller.signal;
}

test("all that a question asks an index for goes to the one that serves, though it is not the first", async () => {
  const index = (isUp: boolean) => {
    const answer = async <T>(value: T): Promise<T> => (isUp ? value : Promise.reject(failed()));
    const search = () => answer({ byText: [], byVector: [] });
    const fusion = { load: () => answer(null) };
    const status = () => answer({ documents: 1, passages: 1, embedder: "m" });
    return { search, version: () => answer("7"), status, fusion } as unknown as PassageIndex;
  };
  const endpoints = [
    { name: "down", port: index(false) },
    { name: "up", port: index(true) },
  ];
  const { port } = spreadSearches(endpoints, OPTIONS);
  const scope = { tenant: "t", collection: "c", groups: [] };
  const asked = async () => {
    await port.search(scope, { text: "휴가", limit: 1 }, call());
    await port.fusion?.load(scope, call());
    return [await port.version(scope, call()), (await port.status(scope, call())).documents];
  };
  for (let i = 0; i < 20; i++) await asked().catch(() => null);
  for (let i = 0; i < 10; i++) expect(await asked()).toEqual([expect.stringMatching(/^7/), 1]);
});

describe("the version of a collection that several endpoints serve", () => {
  const scope = { tenant: "t", collection: "c", groups: [] };
  const indexes = (...versions: string[]) => {
    const endpoints = versions.map((_, i) => ({
      name: `${i}`,
      port: { version: async () => versions[i] } as unknown as PassageIndex,
    }));
    const { port } = spreadSearches(endpoints, { ...OPTIONS, balance: "round_robin" });
    return { versions, version: () => port.version(scope, call()) };
  };

  test("is nobody's to keep an answer under while an endpoint that is searched may not know it", async () => {
    const { versions, version } = indexes("1", "1");
    await version();
    await sleep(410);
    expect([await version(), await version()]).toEqual(["1", "1"]);
    versions[0] = "2";
    const [first, second] = [await version(), await version()];
    versions[1] = "2";
    const [third, fourth] = [await version(), await version()];
    expect(new Set([first, second, third, fourth, "1", "2"]).size).toBe(6);
    await sleep(410);
    expect([await version(), await version()]).toEqual(["2", "2"]);
  });

  test("is as the endpoint says where there is one alone", async () => {
    expect(await indexes("1").version()).toBe("1");
  });
});

describe("of several endpoints", () => {
  const port = (name: string, more: object) => ({ name, port: { model: "m", ...more } as unknown as Reranker });
  const warm = (...parts: readonly (() => Promise<void>)[]) =>
    spreadReranker(
      parts.map((one, i) => port(`${i}`, { warm: one })),
      OPTIONS,
    ).port.warm?.(call());
  const up = async () => undefined;
  const down = () => Promise.reject(failed());

  test("one that warms is enough; where none does, the first's failure is told", async () => {
    await warm(up, up);
    await warm(down, up);
    await warm(up, down);
    await expect(warm(down, () => Promise.reject(new Error("second")))).rejects.toThrow("broken");
  });

  test.each([
    [["first", "second"], "first"],
    [[null, "second"], null],
    [["first", null], null],
    [[null, null], null],
    [[undefined, "second"], null],
  ])("of the problems %j %j is told: one that serves is enough", (found, told) => {
    const endpoints = found.map((problem, i) =>
      port(`${i}`, problem === undefined ? {} : { problem: () => problem, missing: () => problem }),
    );
    expect(spreadReranker(endpoints, OPTIONS).port.problem?.()).toBe(told);
    const models = endpoints as unknown as Endpoint<LanguageModel>[];
    expect(spreadModel(models, OPTIONS).port.missing?.()).toBe(told);
  });
});

describe("a stream", () => {
  const delta = (text: string): GenerateDelta => ({ type: "text", text });
  const model = (stream: (options: CallOptions) => AsyncGenerator<GenerateDelta>) =>
    modelOf((_, options) => stream(options));
  const spread = (...models: readonly ReturnType<typeof model>[]) =>
    spreadModel(
      models.map((port, i) => ({ name: `${i}`, port })),
      { ...OPTIONS, step: "generate", hedge: true },
    );

  test("counts as good with its first delta, and as under way until it ends", async () => {
    const { port, states } = spread(
      model(async function* () {
        yield delta("연차");
        yield delta("는");
      }),
    );
    const stream = port.stream(REQUEST, call())[Symbol.asyncIterator]();
    expect(await stream.next()).toEqual({ done: false, value: delta("연차") });
    expect(states()).toMatchObject([{ inFlight: 1, calls: 1 }]);
    await stream.next();
    expect(await stream.next()).toMatchObject({ done: true });
    expect(states()).toMatchObject([{ inFlight: 0, failures: 0 }]);
  });

  test("that breaks off is a failure; one that is left is none", async () => {
    const { port, states } = spread(
      model(async function* () {
        yield delta("가");
        throw failed();
      }),
    );
    for (let i = 0; i < 4; i++) {
      const stream = port.stream(REQUEST, call())[Symbol.asyncIterator]();
      await stream.next();
      await stream.return?.();
    }
    expect(states()).toMatchObject([{ failures: 0, breaker: "closed", inFlight: 0 }]);
    for (let i = 0; i < 4; i++) await expect(collect(port.stream(REQUEST, call()))).rejects.toBeDefined();
    expect(states()).toMatchObject([{ failures: 4, inFlight: 0 }]);
  });

  test("that is left before its first delta is no verdict, and the breaker's next probe is let through", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    let stream = async function* (): AsyncGenerator<GenerateDelta> {
      yield* [];
      throw failed();
    };
    const { port, states } = spread(model(() => stream()));
    for (let i = 0; i < 4; i++) await expect(collect(port.stream(REQUEST, call()))).rejects.toBeDefined();
    vi.advanceTimersByTime(BREAKER.openMs);
    expect(states()).toMatchObject([{ breaker: "half-open" }]);
    const written = Promise.withResolvers<void>();
    stream = async function* () {
      await written.promise;
      yield delta("연차");
    };
    const probe = port.stream(REQUEST, call())[Symbol.asyncIterator]();
    const first = probe.next();
    const left = probe.return?.();
    written.resolve();
    await Promise.all([first, left]);
    expect(states()).toMatchObject([{ breaker: "half-open", inFlight: 0 }]);
    for (let i = 0; i < 2; i++) expect(await collect(port.stream(REQUEST, call()))).toEqual([delta("연차")]);
    expect(states()).toMatchObject([{ breaker: "closed" }]);
  });

  test("is opened at one endpoint alone, and fails at once where the breaker is open", async () => {
    const opened = vi.fn();
    const { port, states } = spread(
      model(async function* () {
        opened();
        yield* [];
        throw failed();
      }),
    );
    for (let i = 0; i < 4; i++) await expect(collect(port.stream(REQUEST, call()))).rejects.toBeDefined();
    await expect(collect(port.stream(REQUEST, call()))).rejects.toMatchObject({ code: "overloaded" });
    expect(opened).toHaveBeenCalledTimes(4);
    expect(states()).toMatchObject([{ breaker: "open", inFlight: 0 }]);
  });
});

describe("hedging", () => {
  const HEDGED = { ...OPTIONS, hedge: true, breaker: { ...BREAKER, slowMs: 10_000 } };
  /** Answers in some 5 ms, but for one call in forty. */
  const tail = (calls = 0) => {
    let cancelled = 0;
    const work: Rerank = async (options) => {
      calls++;
      if (calls % 40 !== 0) return sleep(5);
      await hanging(options).catch((reason: unknown) => {
        cancelled++;
        throw reason;
      });
    };
    return { work, cancelled: () => cancelled };
  };

  test("a call that takes longer than 19 of 20 is asked of another endpoint; the first answer counts, the other call is cancelled", async () => {
    const [a, b] = [tail(), tail(20)];
    const { port, states } = spreadReranker([endpoint("a", a.work), endpoint("b", b.work)], HEDGED);
    // Four calls hang for ever: each would run into its deadline.
    for (let i = 0; i < 180; i++) await ask(port, until(5000));
    const all = states();
    const sum = (of: "calls" | "hedges" | "hedgesWon" | "failures") => all.reduce((total, one) => total + one[of], 0);
    expect(sum("hedges")).toBeGreaterThanOrEqual(2);
    expect(sum("hedges")).toBeLessThanOrEqual(0.05 * sum("calls"));
    expect(sum("hedgesWon")).toBeGreaterThanOrEqual(2);
    expect(a.cancelled() + b.cancelled()).toBeGreaterThanOrEqual(2);
    expect(all.map(({ inFlight, breaker }) => [inFlight, breaker])).toEqual([
      [0, "closed"],
      [0, "closed"],
    ]);
    // The loser of a hedge is no failure.
    expect(sum("failures")).toBe(0);
  });

  test("at most a twentieth of all calls, whatever takes how long", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { minLength: 100, maxLength: 200 }), async (delays) => {
        let i = 0;
        const work = () => sleep(delays[i++ % delays.length] ?? 0);
        const { port, states } = spreadReranker([endpoint("a", work), endpoint("b", work)], HEDGED);
        for (let at = 0; at < delays.length; at += 10) await settled(port, 10);
        const hedges = states().reduce((total, one) => total + one.hedges, 0);
        expect(hedges).toBeLessThanOrEqual(0.05 * delays.length);
      }),
      { numRuns: 5 },
    );
  });

  test("all that get slow at once are no storm: no more are asked twice than a twentieth of all calls so far", async () => {
    let slow = Promise.resolve();
    const work = () => slow.then(() => sleep(1));
    const { port, states } = spreadReranker([endpoint("a", work), endpoint("b", work)], HEDGED);
    await settled(port, 60);
    const { promise, resolve } = Promise.withResolvers<void>();
    slow = promise;
    const all = settled(port, 20);
    const hedges = () => states().reduce((total, one) => total + one.hedges, 0);
    await vi.waitFor(() => expect(hedges()).toBeGreaterThan(0), 5000);
    await sleep(5);
    expect(hedges()).toBeLessThanOrEqual(0.05 * 80);
    resolve();
    await all;
  });

  test("a slow call is asked of another endpoint or of none, never of its own once more", async () => {
    let [ms, serves] = [1, true];
    const slow = endpoint("slow", () => sleep(ms));
    const away = { ...endpoint("away", () => sleep(ms)), serving: () => serves };
    const { port, states } = spreadReranker([slow, away], HEDGED);
    await settled(port, 60);
    const before = slow.calls;
    [ms, serves] = [50, false];
    await ask(port);
    expect(slow.calls).toBe(before + 1);
    expect(states().map(({ hedges }) => hedges)).toEqual([0, 0]);
  });

  test("a caller who leaves ends both calls", async () => {
    let hang = false;
    const left: string[] = [];
    const at = (name: string) =>
      endpoint(name, async (options) => {
        if (!hang) return sleep(2);
        await hanging(options).catch((reason: unknown) => {
          left.push(name);
          throw reason;
        });
      });
    const { port, states } = spreadReranker([at("a"), at("b")], HEDGED);
    for (let i = 0; i < 40; i++) await ask(port);
    hang = true;
    const gone = abortedAfter(100, new RaglineError("cancelled", "left"));
    await expect(ask(port, { signal: gone })).rejects.toMatchObject({ code: "cancelled" });
    expect(left.toSorted()).toEqual(["a", "b"]);
    expect(states()).toMatchObject([
      { inFlight: 0, failures: 0 },
      { inFlight: 0, failures: 0 },
    ]);
  });

  test("with one endpoint nothing is asked twice", async () => {
    const only = endpoint("only", tail().work);
    const { port } = spreadReranker([only], HEDGED);
    for (let i = 0; i < 45; i++) await ask(port, until(30)).catch(() => undefined);
    expect(only.calls).toBe(45);
  });
});

test.each([
  [
    "reranker",
    () => {
      const { endpoints, closed } = closing<Reranker>(endpoint("r").port);
      return { port: spreadReranker(endpoints, OPTIONS).port, closed };
    },
  ],
  [
    "search",
    () => {
      const { endpoints, closed } = closing<PassageIndex>(fakeStages().index);
      return { port: spreadSearches(endpoints, OPTIONS).port, closed };
    },
  ],
] as const)("%s: an endpoint that cannot be closed leaves no other open, and is told", async (_, spread) => {
  const { port, closed } = spread();
  await expect(port.close?.()).rejects.toMatchObject({ message: "broken" });
  expect(closed).toEqual(["a", "b"]);
});
