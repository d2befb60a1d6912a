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
  /** Of the first text's wait; default: all seconds. */
  readonly waited?: number;
  readonly underWay?: number;
}

interface Rest {
  readonly outcomes?: Readonly<Record<string, number>>;
  readonly withText?: number;
  readonly errors?: readonly (readonly [step: string, code: string, count: number])[];
  readonly cpu?: number;
  readonly loop?: number;
}

/** A page as prom-client writes it. */
function page(answers: number, steps: Readonly<Record<string, StepSeconds>>, rest: Rest = {}): string {
  const { outcomes = { ok: answers }, withText = answers, errors = [], cpu = 0, loop = 0 } = rest;
  const lines = [
    "# HELP ragline_step_duration_seconds How long a step took.",
    "# TYPE ragline_step_duration_seconds histogram",
    ...Object.entries(outcomes).map(
      ([outcome, count]) => `ragline_request_duration_seconds_count{outcome="${outcome}"} ${count}`,
    ),
    ...errors.map(([step, code, count]) => `ragline_errors_total{code="${code}",step="${step}"} ${count}`),
    `ragline_time_to_first_token_seconds_count ${withText}`,
    'ragline_event_loop_delay_seconds{quantile="0.99"} 0.012',
    `ragline_event_loop_active_seconds_total ${loop}`,
    `process_cpu_seconds_total ${cpu}`,
  ];
  for (const [step, one] of Object.entries(steps)) {
    const { calls, seconds, queue = 0, degraded = 0, waited = seconds } = one;
    lines.push(
      `ragline_step_duration_seconds_bucket{le="0.1",step="${step}"} ${calls}`,
      `ragline_step_duration_seconds_sum{step="${step}"} ${seconds}`,
      `ragline_step_duration_seconds_count{step="${step}"} ${calls}`,
      `ragline_step_queue_seconds_sum{step="${step}"} ${queue}`,
      `ragline_first_text_wait_seconds_total{step="${step}"} ${waited}`,
      `ragline_active_steps{step="${step}"} ${one.underWay ?? 0}`,
      `ragline_degradations_total{step="${step}",reason="dependency_timeout"} ${degraded}`,
    );
  }
  return lines.join("\n");
}

describe("from live metrics", () => {
  const quiet = page(0, { rerank: { calls: 0, seconds: 0 } }, { cpu: 1, loop: 1 });
  const over10s = (after: string, before = quiet) => liveBottleneck({ before, after, seconds: 10 }, []);

  test("a line before the reranker: named, with how many wait", () => {
    const after = page(100, {
      embed: { calls: 100, seconds: 1 },
      rerank: { calls: 100, seconds: 60, queue: 50 },
      generate: { calls: 100, seconds: 200, waited: 29 },
    });
    const { throughput, firstText } = over10s(after);
    expect(throughput.stage).toBe("rerank");
    expect(throughput.because).toContain("5.0 calls wait in line on average, 500 ms each");
    expect(throughput.because).toContain("10 a second");
    expect(firstText.stage).toBe("rerank");
    expect(firstText.because).toContain("600.0 of the 900.0 ms");
  });

  test("no more than all calls are given up, where most of their answers are still under way", () => {
    const { throughput } = over10s(page(100, { rerank: { calls: 100, seconds: 200, degraded: 130 } }));
    expect(throughput.because).toContain("100% of its calls are given up");
  });

  test("calls that are given up count, though nobody saw them wait", () => {
    const { throughput } = over10s(page(100, { rerank: { calls: 100, seconds: 40, degraded: 40 } }));
    expect(throughput).toMatchObject({
      stage: "rerank",
      because: expect.stringContaining("40% of its calls are given up"),
    });
  });

  test("no line anywhere: no stage is the bound, and the numbers say so", () => {
    const after = page(10, { generate: { calls: 10, seconds: 20 } }, { cpu: 2.2, loop: 2.5 });
    const { throughput, firstText } = over10s(after);
    expect(throughput).toEqual({
      stage: null,
      because:
        "at 1.0 a second nothing waits in line and nothing is given up; generate has the most calls under way, 2.00 at once on average; the process uses 12% of a core",
      advice: expect.stringContaining("raise it (ragline load --rate)"),
    });
    expect(firstText.stage).toBe("generate");
  });

  test("a first text that is there at once is bound by no stage, and nothing is advised", () => {
    const after = page(100, { search: { calls: 100, seconds: 0.3 }, generate: { calls: 100, seconds: 0.9 } });
    expect(over10s(after).firstText).toEqual({
      stage: null,
      because:
        "the first text is there after 12.0 ms, which no reader notices; generate takes the most of them (10 a second with text, means over 10 s: generate 9.0, search 3.0)",
      advice: "",
    });
  });

  test("readers who leave while they read, and callers who err, are no outage", () => {
    const after = page(40, { generate: { calls: 40, seconds: 40 } }, { outcomes: { cancelled: 40, refused: 90 } });
    const found = over10s(after);
    expect(found.throughput.stage).toBeNull();
    expect(found.firstText.stage).toBe("generate");
  });

  test("some answers fail: their stage is the bound, and the first text is that of the others", () => {
    const after = page(
      100,
      { search: { calls: 100, seconds: 8, queue: 3 }, generate: { calls: 100, seconds: 40 } },
      { outcomes: { ok: 70, failed: 30 }, withText: 70, errors: [["generate", "dependency_failed", 30]] },
    );
    const { throughput, firstText, notes } = over10s(after);
    expect(throughput.because).toContain("generate: it fails 30% of the answers");
    expect(firstText.stage).toBe("generate");
    expect(notes).toContain("30% of the answers ended without any text");
  });

  test("calls that pile up where nobody says that they wait", () => {
    const step = (underWay: number, calls: number, seconds: number) =>
      page(calls, { generate: { calls, seconds, underWay } });
    const { throughput } = over10s(step(107, 153, 900), step(57, 100, 400));
    expect(throughput).toMatchObject({
      stage: "generate",
      because: expect.stringContaining("calls pile up, 57 under way at first and 107 at the end"),
    });
    // Chance, and a load that has just begun.
    expect(over10s(step(68, 230, 1200), step(57, 100, 400)).throughput.stage).toBeNull();
    expect(over10s(step(20, 180, 360), step(0, 0, 0)).throughput.stage).toBeNull();
  });

  test("a busy process is named before any stage", () => {
    const steps = { rerank: { calls: 500, seconds: 60, queue: 50 } };
    expect(over10s(page(500, steps, { cpu: 10.5, loop: 10.8 })).throughput).toMatchObject({
      stage: "process",
      because: "the event loop of the process is busy 98% of the time at 50 a second",
    });
    // Models in threads of this process.
    expect(over10s(page(500, steps, { cpu: 19, loop: 2 })).throughput.because).toContain("180% of a core");
  });

  test("a process that gets no more than a part of a core is named, with how little that is", () => {
    const { throughput } = over10s(page(90, { search: { calls: 90, seconds: 90 } }, { cpu: 4.1, loop: 10.7 }));
    expect(throughput).toMatchObject({
      stage: "process",
      because: expect.stringContaining("busy 97% of the time at 9.0 a second, and gets 31% of a core"),
      advice: expect.stringContaining("a core of its own"),
    });
  });

  test("a step that few questions need weighs so much less", () => {
    const steps = { rewrite: { calls: 1, seconds: 2 }, rerank: { calls: 100, seconds: 10 } };
    const after = page(100, { ...steps, generate: { calls: 100, seconds: 90, waited: 18 } });
    expect(over10s(after).firstText.stage).toBe("generate");
  });

  test("a server that was asked nothing, and one that began anew", () => {
    expect(over10s(quiet).throughput.because).toContain("no question");
    const before = page(1000, { rerank: { calls: 1000, seconds: 600, queue: 500 } });
    const after = page(10, { rerank: { calls: 10, seconds: 6, queue: 5 } });
    expect(over10s(after, before).throughput.because).toContain("0.5 calls wait");
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
