import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bottleneckOf } from "../../src/profile/bottleneck.ts";
import { parseExposition } from "../../src/profile/exposition.ts";
import { fitLatency } from "../../src/profile/fit.ts";
import { liveBottleneck } from "../../src/profile/live.ts";
import { PROFILED, type Profile, type ProfiledStep } from "../../src/profile/profile.ts";
import { percentiles } from "../../src/statistics.ts";

type Known = Readonly<
  Record<ProfiledStep, { readonly serviceMs: number; readonly perSecond: number; readonly cpuMs: number }>
>;

function profileOf(known: Known): Profile {
  return {
    version: 1,
    measuredAt: "",
    machine: { cores: 2, cpu: "", node: "" },
    emulated: [],
    stages: PROFILED.map((step) => ({
      step,
      use: "tei",
      model: "",
      textsPerCall: 1,
      serviceMs: percentiles([known[step].serviceMs]),
      wholeMs: null,
      batches: [],
      fit: null,
      concurrency: [],
      callsPerSecondMax: known[step].perSecond,
      cpuMsPerCall: known[step].cpuMs,
      cpuMsPerText: null,
      rpcOverheadMs: null,
      errors: {},
    })),
  };
}

describe("from a profile", () => {
  test("whatever the figures: the least capacity and the longest service are named, with their numbers", () => {
    const stage = fc.record({
      serviceMs: fc.integer({ min: 1, max: 5000 }),
      perSecond: fc.integer({ min: 1, max: 5000 }),
      cpuMs: fc.integer({ min: 0, max: 20 }),
    });
    fc.assert(
      fc.property(fc.record({ embed: stage, search: stage, rerank: stage, generate: stage }), (known) => {
        const { throughput, firstText } = bottleneckOf(profileOf(known));
        const cpuMs = PROFILED.reduce((sum, step) => sum + known[step].cpuMs, 0);
        const capacity = (name: string | null) =>
          name === "process" ? 1000 / cpuMs : (known[name as ProfiledStep]?.perSecond ?? Number.NaN);
        const least = Math.min(...PROFILED.map(capacity), ...(cpuMs > 0 ? [1000 / cpuMs] : []));
        expect(capacity(throughput.stage)).toBe(least);
        const services = PROFILED.map((step) => known[step].serviceMs);
        const longest = Math.max(...services);
        // Within 50 ms nobody waits.
        const isNoticed = services.reduce((sum, ms) => sum + ms) > 50;
        if (isNoticed) expect(known[firstText.stage as ProfiledStep].serviceMs).toBe(longest);
        else expect(firstText).toMatchObject({ stage: null, advice: "" });
        expect(firstText.because).toContain(longest.toFixed(1));
        expect(throughput.advice.length).toBeGreaterThan(10);
      }),
    );
  });

  test("a stage that is no server is not to be replicated by itself", () => {
    const quiet = { serviceMs: 1, perSecond: 900, cpuMs: 0.1 };
    const { stages, ...rest } = profileOf({ embed: quiet, search: quiet, rerank: quiet, generate: quiet });
    const advised = (use: string) => {
      const slow = stages.map((stage) =>
        stage.step === "generate" ? { ...stage, use, callsPerSecondMax: 100 } : stage,
      );
      return bottleneckOf({ ...rest, stages: slow }).throughput.advice;
    };
    expect(advised("extractive")).toContain("several instances of Ragline");
    expect(advised("openai")).toContain("replicate the model server");
  });

  test("a stage that answered nothing is no bound, but is noted", () => {
    const quiet = { serviceMs: 1, perSecond: 100, cpuMs: 0 };
    const profile = profileOf({ embed: quiet, search: quiet, rerank: { ...quiet, perSecond: 0 }, generate: quiet });
    const failed = profile.stages.map((stage) =>
      stage.step === "rerank" ? { ...stage, serviceMs: null, errors: { dependency_failed: 9 } } : stage,
    );
    const found = bottleneckOf({ ...profile, stages: failed });
    expect(found.throughput.stage).not.toBe("rerank");
    expect(found.notes.join()).toContain("rerank: 9 calls failed");
  });
});

describe("latency by texts a call", () => {
  test("a straight line is found again, with no error", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.double({ min: 0.01, max: 20, noNaN: true }),
        (a, b) => {
          const points = [1, 2, 4, 8, 16, 32].map((texts) => {
            const ms = percentiles([a + b * texts]);
            if (!ms) throw new Error("no value");
            return { texts, ms };
          });
          const fit = fitLatency(points);
          expect(Math.abs((fit?.fixedMs ?? Number.NaN) - a)).toBeLessThan(0.03);
          expect(Math.abs((fit?.perTextMs ?? Number.NaN) - b)).toBeLessThan(0.01);
          expect(fit?.errorMs).toBeLessThan(0.02);
        },
      ),
    );
  });

  test("two points make no line", () => {
    const ms = percentiles([1]);
    expect(
      ms &&
        fitLatency([
          { texts: 1, ms },
          { texts: 2, ms },
        ]),
    ).toBeNull();
  });
});

interface StepSeconds {
  readonly calls: number;
  readonly seconds: number;
  readonly queue?: number;
  readonly degraded?: number;
}

/** A page as prom-client writes it. */
function page(
  answers: number,
  firstTextSeconds: number,
  steps: Readonly<Record<string, StepSeconds>>,
  cpu = 0,
): string {
  const lines = [
    "# HELP ragline_step_duration_seconds How long a step took.",
    "# TYPE ragline_step_duration_seconds histogram",
    `ragline_request_duration_seconds_count{outcome="complete"} ${answers}`,
    `ragline_time_to_first_token_seconds_sum ${firstTextSeconds}`,
    `ragline_time_to_first_token_seconds_count ${answers}`,
    'ragline_event_loop_delay_seconds{quantile="0.99"} 0.012',
    `ragline_process_cpu_seconds_total ${cpu}`,
  ];
  for (const [step, { calls, seconds, queue = 0, degraded = 0 }] of Object.entries(steps)) {
    lines.push(
      `ragline_step_duration_seconds_bucket{le="0.1",step="${step}"} ${calls}`,
      `ragline_step_duration_seconds_sum{step="${step}"} ${seconds}`,
      `ragline_step_duration_seconds_count{step="${step}"} ${calls}`,
      `ragline_step_queue_seconds_sum{step="${step}"} ${queue}`,
      `ragline_degradations_total{step="${step}",reason="dependency_timeout"} ${degraded}`,
    );
  }
  return lines.join("\n");
}

describe("from live metrics", () => {
  const quiet = page(0, 0, { rerank: { calls: 0, seconds: 0 } });

  test("a line before the reranker: named, with how many wait", () => {
    const after = page(100, 90, {
      embed: { calls: 100, seconds: 1 },
      rerank: { calls: 100, seconds: 60, queue: 50 },
      generate: { calls: 100, seconds: 200 },
    });
    const { throughput, firstText } = liveBottleneck({ before: quiet, after, seconds: 10 }, []);
    expect(throughput.stage).toBe("rerank");
    expect(throughput.because).toContain("5.0 calls wait in line on average, 500 ms each");
    expect(throughput.because).toContain("10 a second");
    expect(firstText.stage).toBe("rerank");
    expect(firstText.because).toContain("600.0 of the 900.0 ms");
  });

  test("no more than all calls are given up, where most of their answers are still under way", () => {
    const after = page(100, 50, { rerank: { calls: 100, seconds: 200, degraded: 130 } });
    const { throughput } = liveBottleneck({ before: quiet, after, seconds: 10 }, []);
    expect(throughput.because).toContain("100% of its calls are given up");
  });

  test("calls that are given up count, though nobody saw them wait", () => {
    const after = page(100, 50, { rerank: { calls: 100, seconds: 40, degraded: 40 } });
    const { throughput } = liveBottleneck({ before: quiet, after, seconds: 10 }, []);
    expect(throughput).toMatchObject({
      stage: "rerank",
      because: expect.stringContaining("40% of its calls are given up"),
    });
  });

  test("no line anywhere: no stage is the bound, and the numbers say so", () => {
    const after = page(10, 5, { generate: { calls: 10, seconds: 20 } }, 1.2);
    const { throughput, firstText } = liveBottleneck({ before: quiet, after, seconds: 10 }, []);
    expect(throughput).toEqual({
      stage: null,
      because:
        "at 1.0 a second nothing waits in line and nothing is given up; generate has the most calls under way, 2.00 at once on average; the process uses 12% of a core",
      advice: expect.stringContaining("raise it (ragline load --rate)"),
    });
    expect(firstText.stage).toBe("generate");
  });

  test("a first text that is there at once is bound by no stage, and nothing is advised", () => {
    const after = page(100, 1.2, {
      search: { calls: 100, seconds: 0.3 },
      generate: { calls: 100, seconds: 0.9 },
    });
    const { firstText } = liveBottleneck({ before: quiet, after, seconds: 10 }, []);
    expect(firstText).toEqual({
      stage: null,
      because:
        "the first text is there after 12.0 ms, which no reader notices; generate takes the most of them (10 a second, means over 10 s: generate 9.0, search 3.0)",
      advice: "",
    });
  });

  test("a busy process is named before any stage", () => {
    const after = page(500, 5, { rerank: { calls: 500, seconds: 60, queue: 50 } }, 9.5);
    expect(liveBottleneck({ before: quiet, after, seconds: 10 }, []).throughput.stage).toBe("process");
  });

  test("a step that few questions need weighs so much less", () => {
    const after = page(100, 30, { rewrite: { calls: 1, seconds: 2 }, rerank: { calls: 100, seconds: 10 } });
    expect(liveBottleneck({ before: quiet, after, seconds: 10 }, []).firstText.stage).toBe("generate");
  });

  test("a server that was asked nothing, and one that began anew", () => {
    expect(liveBottleneck({ before: quiet, after: quiet, seconds: 10 }, []).throughput.because).toContain(
      "no question",
    );
    const before = page(1000, 900, { rerank: { calls: 1000, seconds: 600, queue: 500 } });
    const after = page(10, 9, { rerank: { calls: 10, seconds: 6, queue: 5 } });
    expect(liveBottleneck({ before, after, seconds: 10 }, []).throughput.because).toContain("0.5 calls wait");
  });

  test("the text format: escapes, infinities, time stamps, comments", () => {
    const text =
      '# TYPE a counter\na{b="x \\"y\\" \\\\ z\\n",c="d,e"} 1.5e3 1700000000000\nb +Inf\n\nnot a sample at all\n';
    expect(parseExposition(text)).toEqual([
      { name: "a", labels: { b: 'x "y" \\ z\n', c: "d,e" }, value: 1500 },
      { name: "b", labels: {}, value: Number.POSITIVE_INFINITY },
    ]);
  });
});
