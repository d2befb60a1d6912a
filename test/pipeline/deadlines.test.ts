import { beforeEach, describe, expect, test } from "vitest";
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

  test("holds for a stream too, whose first item is what takes long", async () => {
    const slow = async function* () {
      await sleep(20);
      yield 1;
      await sleep(400);
    };
    await Promise.all(
      Array.from({ length: 48 }, () =>
        collect(open(2000).stream("generate", slow, { firstItemMs: 1500, silenceMs: 500 })),
      ),
    );
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

describe("a step that the answer can do without", () => {
  test("leaves what the steps after it take", async () => {
    usually("generate", 400);
    const run = open(600);
    const startedAt = performance.now();
    // It hangs, and its own limit is 2 s: it is cut in time for the answer.
    expect(await run.may("rerank", () => new Promise<string>(() => undefined), otherwise)).toBe("less");
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(150);
    expect(600 - (performance.now() - startedAt)).toBeGreaterThan(150);
    expect(run.degraded).toEqual([{ step: "rerank", reason: "dependency_timeout", fallback: "less" }]);
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
    expect(await dropped(560)).toEqual([]);
    expect(await dropped(460)).toEqual(["rewrite"]);
    expect(await dropped(360)).toEqual(["rewrite", "rerank"]);
    expect(await dropped(260)).toEqual(["rewrite", "embed", "rerank"]);
  });
});
