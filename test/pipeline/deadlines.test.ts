import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RaglineError } from "../../src/errors.ts";
import { Pace } from "../../src/pace.ts";
import { Run, type RunOptions } from "../../src/run.ts";
import type { Step } from "../../src/types.ts";
import { collect, sleep } from "../support/calls.ts";

const LIMITS = { embed: 2000, search: 2000, rerank: 2000, rewrite: 2000 };
let pace: Pace;
beforeEach(() => {
  pace = new Pace();
});
function usually(step: Step, ms: number): void {
  for (let i = 0; i < 16; i++) pace.note(step, ms, false);
}
function open(timeoutMs: number, change: Partial<RunOptions> = {}): Run {
  return new Run({ signal: new AbortController().signal, timeoutMs, limitsMs: LIMITS, pace, ...change });
}
const failure = (pending: Promise<unknown>) =>
  pending.then(
    () => null,
    (thrown: RaglineError) => thrown,
  );
const otherwise = { fallback: "less", value: "less" };

describe("a stage that cannot finish in the time left", () => {
  test("is refused at once, and not begun", async () => {
    usually("search", 500);
    const run = open(300);
    let begun = false;
    const error = await failure(
      run.must("search", async () => {
        begun = true;
      }),
    );
    expect(error).toMatchObject({ code: "deadline_short", step: "search", status: 504, retryable: true });
    expect(error?.message).toMatch(/^Not begun: (29\d|300) ms were left for it, and it usually takes 500 ms\.$/);
    expect([begun, run.timeline.timings, run.elapsedMs() < 100]).toEqual([false, {}, true]);
  });

  test("fails with what it failed with before in this run, not with the time that this left", async () => {
    const run = open(150);
    const hangs = () => new Promise<never>(() => undefined);
    await failure(run.must("search", hangs));
    expect(await failure(run.must("search", hangs))).toMatchObject({ code: "dependency_timeout", step: "search" });
    await run.may("rerank", hangs, otherwise);
    expect(run.degraded).toMatchObject([{ step: "rerank", reason: "deadline_short" }]);
  });

  test("holds for a stream too, whose first text is what takes long", async () => {
    const slow = async function* () {
      yield 1;
      await sleep(20);
      yield 2;
      await sleep(400);
    };
    const read = async () => {
      const run = open(2000);
      const items = run.stream("generate", slow, { firstItemMs: 1500, silenceMs: 500 });
      for await (const item of items) if (item === 2) run.noteText();
    };
    await Promise.all(Array.from({ length: 48 }, read));
    expect(pace.expect("generate")).toBeGreaterThanOrEqual(19);
    expect(pace.expect("generate")).toBeLessThan(400);
    for (let i = 0; i < 8; i++) usually("generate", 400);
    usually("generate", 400);
    const error = await failure(collect(open(200).stream("generate", slow, { firstItemMs: 500, silenceMs: 500 })));
    expect(error).toMatchObject({ code: "deadline_short", step: "generate" });
  });

  test("is tried while too little is known of it", async () => {
    for (let i = 0; i < 15; i++) pace.note("search", 500, false);
    expect(await open(300).must("search", async () => "found")).toBe("found");
  });

  test("what was refused or answered without waiting is not measured; what was cut is, where it says something", async () => {
    usually("search", 50);
    for (let i = 0; i < 64; i++) {
      await open(1000).must("search", () => "at once");
      await failure(open(10).must("search", () => sleep(1)));
      pace.note("search", 20, true);
    }
    expect(pace.expect("search")).toBe(50);
    for (let i = 0; i < 64; i++) pace.note("search", 2000, true);
    expect(pace.expect("search")).toBe(2000);
  });
});

describe("what a step usually takes", () => {
  test("is its service: what it waited in line is the line's, which may be gone", async () => {
    for (let i = 0; i < 32; i++) {
      await open(1000).must("search", async (call) => {
        await sleep(20);
        call.onServed?.({ queueMs: 19, serviceMs: 0 });
      });
    }
    expect(pace.expect("search")).toBeGreaterThan(0);
    expect(pace.expect("search")).toBeLessThan(15);
  });

  test("is less once the latest four all took less, whatever was before them", () => {
    usually("search", 500);
    usually("search", 500);
    for (const ms of [20, 40, 30]) pace.note("search", ms, false);
    expect(pace.expect("search")).toBe(500);
    pace.note("search", 10, false);
    expect(pace.expect("search")).toBe(40);
    pace.note("search", 700, false);
    expect(pace.expect("search")).toBe(500);
  });
});

describe("a step that is refused for lack of time", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("is let through once a second, one at a time, and known to be quick again after four that were", () => {
    usually("search", 500);
    expect(pace.admits("search", 300)).toBe(false);
    for (let i = 0; i < 4; i++) {
      vi.advanceTimersByTime(999);
      expect(pace.admits("search", 300)).toBe(false);
      vi.advanceTimersByTime(1);
      expect([pace.admits("search", 300), pace.admits("search", 300)]).toEqual([true, false]);
      pace.note("search", 20, false);
    }
    expect([pace.admits("search", 300), pace.admits("search", 20)]).toEqual([true, true]);
  });

  test("is let through next when the one before has ended, or its time is up", () => {
    usually("search", 5000);
    vi.advanceTimersByTime(1000);
    expect(pace.admits("search", 3000)).toBe(true);
    vi.advanceTimersByTime(2999);
    expect(pace.admits("search", 3000)).toBe(false);
    vi.advanceTimersByTime(1);
    expect(pace.admits("search", 3000)).toBe(true);
    vi.advanceTimersByTime(1500);
    pace.note("search", 1500, false);
    expect(pace.admits("search", 3000)).toBe(true);
  });

  test("is not let through without any time", () => {
    usually("search", 500);
    vi.advanceTimersByTime(5000);
    expect([pace.admits("search", 0), pace.admits("search", -1)]).toEqual([false, false]);
  });
});

describe("a step that the answer can do without", () => {
  test("leaves what the steps after it take", async () => {
    usually("generate", 300);
    const run = open(1000);
    // It hangs, and its own limit is 2 s: it is cut in time for the answer.
    expect(await run.may("rerank", () => new Promise<string>(() => undefined), otherwise)).toBe("less");
    expect(run.elapsedMs()).toBeGreaterThanOrEqual(350);
    expect(run.elapsedMs()).toBeLessThan(700);
    expect(run.degraded).toEqual([{ step: "rerank", reason: "dependency_timeout", fallback: "less" }]);
  });

  test("leaves a tenth of the time where nothing is known", async () => {
    const run = open(1000);
    await run.may("embed", () => new Promise<string>(() => undefined), otherwise);
    expect(run.elapsedMs()).toBeGreaterThanOrEqual(850);
    expect(run.elapsedMs()).toBeLessThan(990);
  });

  test("is dropped where time is short: rewrite first, then rerank, then embed", async () => {
    for (const [step, ms] of Object.entries({ rewrite: 100, embed: 100, search: 100, rerank: 100, generate: 100 })) {
      usually(step as Step, ms);
    }
    const dropped = async (timeoutMs: number) => {
      const run = open(timeoutMs);
      await run.may("rewrite", async () => "", otherwise);
      await run.may("embed", async () => "", otherwise);
      // What search would have taken.
      const after = open(timeoutMs - 200);
      await after.may("rerank", async () => "", otherwise);
      return [...run.degraded, ...after.degraded].map(({ step, reason }) => {
        expect(reason).toBe("deadline_short");
        return step;
      });
    };
    // Of the first token's time twice as much is kept.
    expect(await dropped(660)).toEqual([]);
    expect(await dropped(560)).toEqual(["rewrite"]);
    expect(await dropped(460)).toEqual(["rewrite", "rerank"]);
    expect(await dropped(360)).toEqual(["rewrite", "embed", "rerank"]);
  });
});
