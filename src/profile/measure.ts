import { randomInt } from "node:crypto";
import { availableParallelism, cpus } from "node:os";
import { percentiles, rounded } from "../statistics.ts";
import type { Step } from "../types.ts";
import type { DrivenStage } from "./calls.ts";
import { fitLatency } from "./fit.ts";
import { type Called, type Hammered, hammer } from "./hammer.ts";
import type { BatchPoint, ConcurrencyPoint, Profile, StageProfile } from "./profile.ts";

export const BATCHES = [1, 2, 4, 8, 16, 32] as const;
export const CALLERS = [1, 2, 4, 8, 16, 32, 64] as const;

export interface MeasureOptions {
  /** For all stages together, about: slow calls are waited for up to four times as long. */
  readonly seconds: number;
  readonly emulated: readonly Step[];
  readonly signal: AbortSignal;
  /** The configuration's `use`. */
  useOf(step: Step): string;
  onPoint?(step: Step, what: string): void;
}

/** Drives each stage alone: by texts a call, then by callers at once. */
export async function measureProfile(stages: readonly DrivenStage[], options: MeasureOptions): Promise<Profile> {
  const points = stages.reduce(
    (sum, { hasBatches }) => sum + CALLERS.length + 1 + (hasBatches ? BATCHES.length : 0),
    0,
  );
  const ms = (options.seconds * 1000) / points;
  const profiles: StageProfile[] = [];
  for (const stage of stages) profiles.push(await measureStage(stage, ms, options));
  return {
    version: 1,
    measuredAt: new Date().toISOString(),
    machine: { cores: availableParallelism(), cpu: cpus()[0]?.model ?? "unknown", node: process.versions.node },
    emulated: options.emulated,
    stages: profiles,
  };
}

const SLOWER_MAX = 4;
/** Calls are numbered from anywhere below: a cache that is shared may hold the texts of an earlier profile. */
const FIRST_CALL_MAX = 1_000_000_000;

async function measureStage(stage: DrivenStage, ms: number, options: MeasureOptions): Promise<StageProfile> {
  const { step, model, textsPerCall, hasBatches } = stage;
  const runs: Hammered[] = [];
  let number = randomInt(FIRST_CALL_MAX);
  const run = async (texts: number, callers: number, what: string) => {
    options.onPoint?.(step, what);
    const call = stage.call(texts);
    const hammered = await hammer((_number, ...rest) => call(number++, ...rest), {
      callers,
      ms,
      msMax: ms * SLOWER_MAX,
      signal: options.signal,
    });
    runs.push(hammered);
    return hammered;
  };
  // The first calls open connections and warm up.
  await run(textsPerCall, 1, "warm-up");
  const batches: BatchPoint[] = [];
  for (const texts of hasBatches ? BATCHES : []) {
    const point = percentiles((await run(texts, 1, `${texts} texts a call`)).calls.map((call) => call.ms));
    if (point) batches.push({ texts, ms: point });
  }
  const concurrency: ConcurrencyPoint[] = [];
  let alone: Hammered | undefined;
  for (const callers of CALLERS) {
    const hammered = await run(textsPerCall, callers, `${callers} callers`);
    alone ??= hammered;
    const point = percentiles(hammered.calls.map((call) => call.ms));
    if (point) concurrency.push({ callers, callsPerSecond: rounded(hammered.perSecond), ms: point });
  }
  const calls = alone?.calls ?? [];
  const cpuMs = calls.length > 0 && alone ? alone.cpuMs / calls.length : null;
  const streams = calls.some(({ firstMs }) => firstMs !== null);
  return {
    step,
    use: options.useOf(step),
    model,
    textsPerCall,
    serviceMs: percentiles(calls.map((call) => call.firstMs ?? call.ms)),
    wholeMs: streams ? percentiles(calls.map((call) => call.ms)) : null,
    batches,
    fit: fitLatency(batches),
    concurrency,
    callsPerSecondMax: Math.max(0, ...concurrency.map(({ callsPerSecond }) => callsPerSecond)),
    cpuMsPerCall: cpuMs === null ? null : rounded(cpuMs, 3),
    cpuMsPerText: cpuMs === null ? null : rounded(cpuMs / textsPerCall, 4),
    rpcOverheadMs: options.emulated.includes(step) ? null : percentiles(calls.flatMap(overheadOf)),
    errors: together(runs),
  };
}

/** An emulated server has none: its latency differs from what it says by late timers. */
function overheadOf({ ms, servedMs }: Called): number[] {
  return servedMs === null ? [] : [Math.max(0, ms - servedMs)];
}

function together(runs: readonly Hammered[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { errors } of runs) {
    for (const [code, count] of Object.entries(errors)) sums[code] = (sums[code] ?? 0) + count;
  }
  return sums;
}
