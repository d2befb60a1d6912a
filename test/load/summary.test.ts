import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { summaryLines } from "../../src/load/print.ts";
import type { PartShare } from "../../src/load/stages.ts";
import { summarize } from "../../src/load/summary.ts";
import { percentiles, quantile } from "../../src/statistics.ts";
import type { StepSpan } from "../../src/types.ts";
import { ANSWER_END, CONTEXT, drivenRun, sample } from "../support/load.ts";

describe("a run in figures", () => {
  test("latencies count from when requests were due; failures are no part of them, and miss the objective", () => {
    const samples = [
      ...Array.from({ length: 8 }, (_, n) => sample(n * 1000)),
      sample(8000, { firstTextAt: 8400, endedAt: 8900 }),
      sample(9000, { failure: "overloaded", end: null, firstTextAt: null, endedAt: 9001 }),
    ];
    const summary = summarize(drivenRun(samples), CONTEXT);
    expect(summary).toMatchObject({
      asked: 10,
      completed: 9,
      errors: { overloaded: 1 },
      cut: 0,
      offeredPerSecond: 1,
      goodput: { objectiveMs: 150, share: 0.8, perSecond: 0.8 },
    });
    expect(summary.ttftMs).toMatchObject({ count: 9, p50: 100, p99: 400, max: 400 });
    expect(summary.totalMs).toMatchObject({ p50: 200, max: 900 });
  });

  test("rates of requests that all came at once are over the whole run", () => {
    const run = { ...drivenRun([sample(0), sample(0)]), ms: 500 };
    const summary = summarize(run, { ...CONTEXT, arrivalsMs: 0 });
    expect(summary).toMatchObject({ offeredPerSecond: 4, completedPerSecond: 0, goodput: { share: 1, perSecond: 4 } });
  });

  test("cut streams, degraded answers by reason, and cached ones", () => {
    const degraded = [{ step: "rerank", reason: "dependency_timeout", fallback: "order of search" }] as const;
    const summary = summarize(
      drivenRun([
        sample(0, { end: { ...ANSWER_END, degraded } }),
        sample(1, { end: { ...ANSWER_END, cached: true } }),
        sample(2, { failure: "cut", end: null }),
      ]),
      CONTEXT,
    );
    expect(summary).toMatchObject({
      cut: 1,
      degraded: { share: 0.5, by: { "rerank: dependency_timeout": 1 } },
      cachedShare: 0.5,
    });
  });

  test("shares of the time to first text sum to 1, and hold the lag and the network apart", () => {
    const { stages } = summarize(drivenRun([sample(0), sample(5)]), CONTEXT);
    const of = (part: string) => stages.ttft.find((one) => one.part === part)?.ms;
    expect(of("generator")).toBe(2);
    // 100 ms, of which the server saw 90 and the generator was late by 2.
    expect(of("network")).toBe(8);
    // 90 ms less the steps before it.
    expect(of("generate")).toBe(40);
    for (const parts of [stages.ttft, stages.total]) {
      expect(parts.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 2);
    }
    expect(stages.total.find(({ part }) => part === "orchestrator")?.ms).toBe(5);
  });

  test("of steps beside each other those count that were waited for, and no time twice", () => {
    const spans: readonly StepSpan[] = [
      { step: "session", startMs: 0, ms: 1 },
      { step: "embed", startMs: 1, ms: 30 },
      { step: "search", startMs: 31, ms: 5 },
      { step: "rewrite", startMs: 1, ms: 49 },
      { step: "generate", startMs: 50, ms: 100 },
      { step: "save", startMs: 80, ms: 10 },
    ];
    const end = { ...ANSWER_END, spans };
    const { stages, ttftMs, totalMs } = summarize(drivenRun([sample(0, { end })]), CONTEXT);
    const shares = (parts: readonly PartShare[]) => Object.fromEntries(parts.map(({ part, ms }) => [part, ms]));
    expect(shares(stages.ttft)).toEqual({ generator: 2, network: 8, session: 1, rewrite: 49, generate: 30, save: 10 });
    expect(ttftMs?.p50).toBe(100);
    expect(stages.total.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(totalMs?.p50 ?? 0, 5);
  });

  test("a client that was slow to take an event waited for the network", () => {
    const spans = [{ step: "session", startMs: 0, ms: 10 } as const, { step: "reader", startMs: 10, ms: 80 } as const];
    const { stages } = summarize(drivenRun([sample(0, { end: { ...ANSWER_END, spans } })]), CONTEXT);
    expect(stages.ttft.find(({ part }) => part === "network")?.ms).toBe(88);
  });

  test("warm-up is left out", () => {
    const slow = sample(100, { firstTextAt: 9000, endedAt: 9900 });
    const summary = summarize(drivenRun([slow, sample(2000)]), { ...CONTEXT, warmUpMs: 1000 });
    expect(summary.asked).toBe(1);
    expect(summary.ttftMs?.max).toBe(100);
  });

  test("turns held back are told, with what they took counted from the plan", () => {
    const summary = summarize(drivenRun([sample(0), sample(500, { plannedAt: 200 })]), CONTEXT);
    expect(summary.heldBack).toMatchObject({ turns: 1, waitMs: { max: 300 }, ttftMs: { max: 400 } });
    expect(summary.ttftMs?.max).toBe(100);
  });

  test("a generator that is late, busy or stands still says so", () => {
    const late = Array.from({ length: 20 }, (_, n) => sample(n * 100, { sentAt: n * 100 + 60 }));
    const { generator } = summarize(drivenRun(late, { generator: { cpuShare: 0.97, loopDelayMs: 80 } }), CONTEXT);
    expect(generator.warnings).toHaveLength(3);
    expect(generator.warnings.join()).toContain("sent late");
    expect(summarize(drivenRun([sample(0)]), CONTEXT).generator.warnings).toEqual([]);
  });

  test("nothing answered is said, not invented", () => {
    const refused = sample(0, { failure: "connection_failed", end: null, firstTextAt: null });
    const summary = summarize(drivenRun([refused]), CONTEXT);
    expect(summary).toMatchObject({ ttftMs: null, totalMs: null, goodput: { share: 0 } });
    const text = summaryLines(summary).join("\n");
    expect(text).toContain("nothing measured");
    expect(text).toContain("1 connection_failed");
    expect(text).not.toContain("NaN");
  });
});

test("percentiles by nearest rank are values that were measured, in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 1, maxLength: 200 }), (values) => {
      const of = percentiles(values);
      if (!of) return false;
      const ascending = [of.p50, of.p90, of.p95, of.p99, of.max];
      expect(ascending).toEqual(ascending.toSorted((a, b) => a - b));
      for (const value of ascending) expect(values).toContain(value);
      const sorted = values.toSorted((a, b) => a - b);
      const below = sorted.filter((value) => value <= quantile(sorted, 0.9)).length;
      expect(below / sorted.length).toBeGreaterThanOrEqual(0.9);
      return true;
    }),
  );
});
