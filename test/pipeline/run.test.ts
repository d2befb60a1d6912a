import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { Run, type RunOptions } from "../../src/run.ts";
import { type CallOptions, STEPS } from "../../src/types.ts";
import { collect, sleep } from "../support/calls.ts";
import { hang } from "../support/stages.ts";

const retryable = () => Promise.reject(new RaglineError("dependency_failed", "broken"));
function open(change: Partial<RunOptions> = {}): Run {
  return new Run({ signal: new AbortController().signal, timeoutMs: 1000, limitsMs: { search: 50 }, ...change });
}
async function rejection(pending: Promise<unknown>): Promise<RaglineError> {
  const outcome = await pending.then(
    () => null,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(RaglineError);
  return outcome as RaglineError;
}
const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

describe("must", () => {
  test("gives the value, sync or async, and notes the time", async () => {
    const run = open();
    expect(await run.must("prompt", () => 7)).toBe(7);
    expect(await run.must("search", () => sleep(20).then(() => "found"))).toBe("found");
    expect(run.timeline.timings.search).toBeGreaterThanOrEqual(19);
    expect(Object.keys(run.timeline.timings)).toEqual(["prompt", "search"]);
    expect(Object.keys(run.timeline.timings).every((step) => (STEPS as readonly string[]).includes(step))).toBe(true);
  });

  test("the smaller of the step's limit and the run's counts, and the signal tells the adapter", async () => {
    let signal: AbortSignal | undefined;
    const startedAt = performance.now();
    const call = (options: CallOptions) => {
      signal = options.signal;
      return hang();
    };
    const error = await rejection(open().must("search", call));
    expect(error).toMatchObject({
      code: "dependency_timeout",
      step: "search",
      retryable: true,
      message: expect.stringContaining("50 ms"),
    });
    expect(signal?.aborted).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(150);
    const short = open({ timeoutMs: 30 });
    expect((await rejection(short.must("generate", hang))).code).toBe("dependency_timeout");
    expect(short.elapsedMs()).toBeLessThan(150);
  });

  test("tries nothing twice: that is the wrappers' alone", async () => {
    const call = vi.fn(retryable);
    await rejection(open().must("search", call));
    expect(call).toHaveBeenCalledTimes(1);
    const failing = vi.fn(async function* (): AsyncGenerator<number> {
      yield* [];
      throw new RaglineError("dependency_failed", "broken");
    });
    await rejection(collect(open().stream("generate", failing, { firstItemMs: 80, silenceMs: 40 })));
    expect(failing).toHaveBeenCalledTimes(1);
  });

  test("says until when, and counts the calls of models by step", async () => {
    const run = open();
    const startedAt = performance.now();
    await run.must("search", (call) => {
      expect((call.deadline ?? 0) - startedAt).toBeGreaterThan(40);
      expect((call.deadline ?? 0) - startedAt).toBeLessThan(60);
    });
    for (const inputTokens of [3, 4]) {
      await run.must("embed", (call) => call.onModelCall?.({ inputTokens, outputTokens: 1, ms: 1.5 }));
    }
    expect(run.calls).toEqual({ embed: { calls: 2, inputTokens: 7, outputTokens: 2, ms: 3 } });
  });

  test("what throws at once is caught, named and hidden", async () => {
    const error = await rejection(
      open().must("embed", () => {
        throw new TypeError("secret path /etc");
      }),
    );
    expect(error).toMatchObject({ code: "internal", step: "embed", message: expect.not.stringContaining("secret") });
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  test("a caller who has left is not served, one who leaves ends the wait at once", async () => {
    const gone = AbortSignal.abort();
    expect((await rejection(open({ signal: gone }).must("search", hang))).code).toBe("cancelled");
    const controller = new AbortController();
    const pending = rejection(open({ signal: controller.signal, limitsMs: {} }).must("search", hang));
    const abortedAt = performance.now();
    controller.abort();
    expect((await pending).code).toBe("cancelled");
    expect(performance.now() - abortedAt).toBeLessThan(50);
  });

  test("a loser that fails later is nobody's unhandled rejection", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    await rejection(open().must("search", () => sleep(70).then(() => Promise.reject(new Error("late")))));
    await sleep(60);
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("may", () => {
  const fallback = { fallback: "less", value: "less" };

  test("uses the fallback, says so, and tells the log", async () => {
    const onFailure = vi.fn();
    const run = open({ onFailure });
    expect(await run.may("rerank", retryable, fallback)).toBe("less");
    expect(await run.may("search", hang, fallback)).toBe("less");
    expect(await run.may("embed", async () => "more", fallback)).toBe("more");
    expect(run.degraded).toEqual([
      { step: "rerank", reason: "dependency_failed", fallback: "less" },
      { step: "search", reason: "dependency_timeout", fallback: "less" },
    ]);
    expect(onFailure).toHaveBeenCalledTimes(2);
  });

  test("says the same of a step once", async () => {
    const onDegraded = vi.fn();
    const run = open({ observer: { onDegraded, onModelCall: () => undefined } });
    for (let i = 0; i < 2; i++) await run.may("save", retryable, fallback);
    await run.may("save", retryable, { fallback: "nothing", value: "" });
    expect(run.degraded.map(({ fallback }) => fallback)).toEqual(["less", "nothing"]);
    expect(onDegraded).toHaveBeenCalledTimes(2);
  });

  test("a caller who leaves is no degradation", async () => {
    const run = open({ signal: AbortSignal.abort() });
    expect((await rejection(run.may("rerank", hang, fallback))).code).toBe("cancelled");
    expect(run.degraded).toEqual([]);
  });
});

describe("stream", () => {
  const limits = { firstItemMs: 80, silenceMs: 40 };
  async function* slowly(...gapsMs: readonly number[]) {
    for (const [i, gap] of gapsMs.entries()) {
      await sleep(gap);
      yield i;
    }
  }

  test("the first item may take its limit, later ones the silence, the whole any time", async () => {
    const run = open({ timeoutMs: 100 });
    const items: number[] = [];
    for await (const item of run.stream("generate", () => slowly(60, 20, 20, 20, 20, 20), limits)) {
      run.noteText();
      items.push(item);
    }
    expect(items).toHaveLength(6);
    expect(run.timeline.timings.generate).toBeGreaterThan(100);
  });

  test("without any text it ends with the request's time, however much else comes", async () => {
    const run = open({ timeoutMs: 100 });
    const thinking = () => slowly(...Array.from({ length: 100 }, () => 10));
    const error = await rejection(collect(run.stream("generate", thinking, limits)));
    expect(error).toMatchObject({
      code: "dependency_timeout",
      step: "generate",
      message: "No text before the request's time was over.",
    });
    expect(run.elapsedMs()).toBeGreaterThanOrEqual(99);
    expect(run.elapsedMs()).toBeLessThan(250);
  });

  test("silence ends it after the items so far, without another try", async () => {
    const source = vi.fn(() => slowly(1, 1, 200));
    const items: number[] = [];
    const reading = (async () => {
      for await (const item of open().stream("generate", source, limits)) items.push(item);
    })();
    expect((await rejection(reading)).message).toContain("40 ms");
    expect(items).toEqual([0, 1]);
    expect(source).toHaveBeenCalledTimes(1);
  });

  test("closes the source and aborts its signal when the reader stops", async () => {
    let signal: AbortSignal | undefined;
    let closed = false;
    async function* source(call: { signal: AbortSignal }) {
      signal = call.signal;
      try {
        yield 1;
        yield 2;
      } finally {
        closed = true;
      }
    }
    for await (const _ of open().stream("generate", source, limits)) break;
    await sleep(1);
    expect([signal?.aborted, closed]).toEqual([true, true]);
  });

  test("a source that hangs in its close does not hang the reader", async () => {
    const iterator = { next: async () => ({ done: false as const, value: 1 }), return: hang };
    const source = () => ({ [Symbol.asyncIterator]: () => iterator });
    for await (const _ of open().stream("generate", source, limits)) break;
  });
});

test("no timer and no listener is left, whatever happened", async () => {
  const before = timers();
  const { signal } = new AbortController();
  const run = open({ signal });
  const limits = { firstItemMs: 30, silenceMs: 30_000 };
  async function* three() {
    yield* [1, 2, 3];
  }
  async function* broken() {
    yield 1;
    throw new Error("x");
  }
  await run.must("embed", async () => 1);
  await rejection(run.must("search", hang));
  await run.may("rerank", retryable, { fallback: "x", value: null });
  await collect(run.stream("generate", three, limits));
  for await (const _ of run.stream("generate", three, limits)) break;
  await rejection(collect(run.stream("generate", broken, limits)));
  await rejection(collect(run.stream("generate", () => ({ [Symbol.asyncIterator]: () => ({ next: hang }) }), limits)));
  const failsToOpen = (): AsyncIterable<number> => {
    throw new Error("cannot open");
  };
  await rejection(collect(run.stream("generate", failsToOpen, limits)));
  expect(timers()).toBeLessThanOrEqual(before);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
