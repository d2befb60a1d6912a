import { describe, expect, test } from "vitest";
import { batchServer } from "../../src/adapters/simulated/batch-server.ts";
import { RaglineError } from "../../src/errors.ts";
import { bottleneckOf } from "../../src/profile/bottleneck.ts";
import type { DrivenStage } from "../../src/profile/calls.ts";
import { hammer } from "../../src/profile/hammer.ts";
import { measureProfile } from "../../src/profile/measure.ts";
import { call, sleep } from "../support/calls.ts";
import { BATCHES } from "../support/simulated.ts";

const { signal } = call();
const EMULATED = ["rerank"] as const;

/** A stage on an emulated server, whose truth is known. */
function stage(step: DrivenStage["step"], options: Partial<typeof BATCHES>, textsPerCall = 1): DrivenStage {
  const serve = batchServer({ ...BATCHES, ...options });
  const calls = (texts: number) => (_number: number, options: Parameters<typeof serve>[1]) => serve(texts, options);
  return { step, model: "simulated", textsPerCall, hasBatches: step !== "search", call: calls };
}

describe("profiling stages whose truth is known", () => {
  test("a slow lone slot bounds throughput at its rate, though another stage takes longer", {
    timeout: 60_000,
  }, async () => {
    const stages = [
      stage("embed", { serviceMs: 2, itemMs: 1, slots: 16 }),
      stage("rerank", { serviceMs: 20, slots: 1 }, 20),
      stage("generate", { serviceMs: 60, slots: 64 }),
    ];
    const profile = await measureProfile(stages, { seconds: 8, emulated: EMULATED, signal, useOf: () => "simulated" });
    const [embed, rerank] = profile.stages;
    // 50 a second by its one slot; a busy machine adds to that at most the lateness of its timers.
    expect(rerank?.callsPerSecondMax).toBeGreaterThan(40);
    expect(rerank?.callsPerSecondMax).toBeLessThan(53);
    const { throughput, firstText } = bottleneckOf(profile);
    expect(throughput.stage).toBe("rerank");
    expect(firstText.stage).toBe("generate");
    expect(embed?.fit?.perTextMs).toBeGreaterThan(0.8);
    expect(embed?.fit?.perTextMs).toBeLessThan(1.5);
    expect(embed?.batches.map(({ texts }) => texts)).toEqual([1, 2, 4, 8, 16, 32]);
    expect(rerank?.concurrency.map(({ callers }) => callers)).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(rerank?.rpcOverheadMs).toBeNull();
    expect(embed?.rpcOverheadMs?.p50).toBeGreaterThanOrEqual(0);
    expect(profile.emulated).toEqual(["rerank"]);
  });

  test("slots bound throughput where a call is fast by itself", { timeout: 60_000 }, async () => {
    const stages = [stage("embed", { serviceMs: 15, slots: 1 }), stage("rerank", { serviceMs: 60, slots: 32 }, 20)];
    const profile = await measureProfile(stages, { seconds: 5, emulated: [], signal, useOf: () => "simulated" });
    expect(bottleneckOf(profile)).toMatchObject({ throughput: { stage: "embed" }, firstText: { stage: "rerank" } });
  });
});

describe("callers in a closed loop", () => {
  test("failures are counted by code, and end soon", async () => {
    const failing = () => Promise.reject(new RaglineError("overloaded", "no"));
    const { calls, errors, perSecond } = await hammer(failing, { callers: 4, ms: 50, msMax: 5000, signal });
    expect(calls).toEqual([]);
    expect(perSecond).toBe(0);
    expect(errors.overloaded).toBeGreaterThanOrEqual(50);
  });

  test("a stage that never answers is given up, its calls cancelled", async () => {
    let cancelled = 0;
    const silent = (_: number, { signal }: { readonly signal: AbortSignal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          cancelled++;
          reject(signal.reason);
        }),
      );
    const { calls } = await hammer(silent, { callers: 3, ms: 20, msMax: 60, signal });
    expect(calls).toEqual([]);
    expect(cancelled).toBe(3);
  });

  test("stopping it stops it", async () => {
    const controller = new AbortController();
    const running = hammer(() => sleep(5), { callers: 2, ms: 60_000, msMax: 60_000, signal: controller.signal });
    controller.abort(new Error("stopped"));
    await expect(running).rejects.toThrow("stopped");
  });
});
