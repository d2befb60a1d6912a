import { type Percentiles, percentiles, rounded } from "../statistics.ts";
import type { Step } from "../types.ts";
import type { DrivenRun, Sample } from "./drive.ts";
import { firstTextShares, type PartShare, totalShares } from "./stages.ts";

/** A run in figures; the object of `--json`. Times in milliseconds, rates per second, shares of 1. */
export interface Summary {
  readonly url: string;
  readonly startedAt: string;
  readonly arrivals: string;
  readonly questions: string;
  /** Steps that an emulated server does: their figures are no model's. Null: the target does not say. */
  readonly emulated: readonly Step[] | null;
  readonly seconds: number;
  readonly asked: number;
  readonly completed: number;
  /** Turns of conversations that became due after the end. */
  readonly notAsked: number;
  /** By code; `cut` streams are among them. */
  readonly errors: Readonly<Record<string, number>>;
  readonly cut: number;
  readonly degraded: { readonly share: number; readonly by: Readonly<Record<string, number>> };
  readonly cachedShare: number;
  readonly offeredPerSecond: number;
  readonly completedPerSecond: number;
  /** Whole answers whose first text came within the objective; failed ones count as missed. */
  readonly goodput: { readonly objectiveMs: number; readonly perSecond: number; readonly share: number };
  /** Of whole answers, from when each was due. */
  readonly ttftMs: Percentiles | null;
  readonly totalMs: Percentiles | null;
  /** Of answers of more than one event, after the first text: words or tokens, as the model reported or the server counted. */
  readonly tokensPerSecond: Percentiles | null;
  readonly stages: { readonly ttft: readonly PartShare[]; readonly total: readonly PartShare[] };
  /** Turns that were planned sooner than the answer before them had ended. Counted from the plan, what they took. */
  readonly heldBack: {
    readonly turns: number;
    readonly waitMs: Percentiles | null;
    readonly ttftMs: Percentiles | null;
  };
  readonly generator: {
    readonly lagMs: Percentiles | null;
    readonly cpuShare: number;
    readonly loopDelayMs: number;
    /** Why the figures say more about the generator than about the server; empty: they do not. */
    readonly warnings: readonly string[];
  };
}

export interface SummaryContext {
  readonly url: string;
  readonly arrivals: string;
  readonly questions: string;
  readonly emulated: readonly Step[] | null;
  /** For how long requests arrived; 0: all at once, and rates are over the whole run. */
  readonly arrivalsMs: number;
  readonly objectiveMs: number;
  /** Samples due before this are left out. */
  readonly warmUpMs: number;
}

export const ttftOf = ({ firstTextAt, dueAt }: Sample) => (firstTextAt === null ? null : firstTextAt - dueAt);
export const totalOf = ({ endedAt, dueAt }: Sample) => endedAt - dueAt;
export const isWhole = ({ failure }: Sample) => failure === null;

export function measured({ samples }: DrivenRun, warmUpMs: number): Sample[] {
  return samples.filter(({ dueAt }) => dueAt >= warmUpMs);
}

export function summarize(run: DrivenRun, context: SummaryContext): Summary {
  const { url, arrivals, questions, emulated, objectiveMs, warmUpMs } = context;
  const samples = measured(run, warmUpMs);
  const whole = samples.filter(isWhole);
  const arrivedMs = context.arrivalsMs - warmUpMs;
  const seconds = (arrivedMs > 0 ? arrivedMs : run.ms) / 1000;
  const ttft = whole.flatMap((sample) => ttftOf(sample) ?? []);
  const good = ttft.filter((ms) => ms <= objectiveMs).length;
  const failures = samples.flatMap(({ failure }) => failure ?? []);
  const degraded = whole.filter(({ end }) => end && end.degraded.length > 0);
  const reasons = degraded.flatMap(({ end }) => end?.degraded.map(({ step, reason }) => `${step}: ${reason}`) ?? []);
  const heldBack = samples.filter(({ dueAt, plannedAt }) => dueAt - plannedAt > 0.5);
  return {
    url,
    startedAt: run.startedAt.toISOString(),
    arrivals,
    questions,
    emulated,
    seconds: rounded(run.ms / 1000),
    asked: samples.length,
    completed: whole.length,
    notAsked: run.notAsked,
    errors: tally(failures),
    cut: failures.filter((code) => code === "cut").length,
    degraded: { share: share(degraded.length, whole.length), by: tally(reasons) },
    cachedShare: share(whole.filter(({ end }) => end?.cached).length, whole.length),
    offeredPerSecond: rounded(samples.length / seconds),
    completedPerSecond: rounded(whole.filter(({ endedAt }) => endedAt <= context.arrivalsMs).length / seconds),
    goodput: { objectiveMs, perSecond: rounded(good / seconds), share: share(good, samples.length) },
    ttftMs: percentiles(ttft),
    totalMs: percentiles(whole.map(totalOf)),
    tokensPerSecond: percentiles(whole.flatMap((sample) => paceOf(sample) ?? [])),
    stages: { ttft: firstTextShares(whole), total: totalShares(whole) },
    heldBack: {
      turns: heldBack.length,
      waitMs: percentiles(heldBack.map(({ dueAt, plannedAt }) => dueAt - plannedAt)),
      ttftMs: percentiles(
        whole.flatMap(({ firstTextAt, plannedAt }) => (firstTextAt === null ? [] : firstTextAt - plannedAt)),
      ),
    },
    generator: generatorOf(run, samples, ttft),
  };
}

/** Beyond these the generator is part of what was measured. */
const LAG_SHARE_MAX = 0.1;
const LAG_MS_MIN = 5;
const CPU_SHARE_MAX = 0.85;

function generatorOf(run: DrivenRun, samples: readonly Sample[], ttft: readonly number[]): Summary["generator"] {
  const lagMs = percentiles(samples.map(({ sentAt, dueAt }) => sentAt - dueAt));
  const { cpuShare, loopDelayMs } = run.generator;
  const limit = Math.max(LAG_MS_MIN, LAG_SHARE_MAX * (percentiles(ttft)?.p50 ?? 0));
  const warnings: string[] = [];
  if (lagMs && lagMs.p99 > limit) {
    warnings.push(
      `it sent late: p99 ${lagMs.p99.toFixed(1)} ms, which is in the latencies; use fewer requests a second, or a core of its own for it`,
    );
  }
  if (cpuShare > CPU_SHARE_MAX) {
    warnings.push(`it used ${Math.round(cpuShare * 100)}% of a core: run several at a lower rate each`);
  }
  if (loopDelayMs > limit) {
    warnings.push(`its event loop stood still for ${loopDelayMs.toFixed(1)} ms at p99: answers were read late`);
  }
  return { lagMs, cpuShare: rounded(cpuShare, 3), loopDelayMs: rounded(loopDelayMs), warnings };
}

function paceOf({ firstTextAt, endedAt, textEvents, end }: Sample): number | null {
  if (!end || end.cached || firstTextAt === null || textEvents < 2 || endedAt <= firstTextAt) return null;
  return (1000 * (end.usage.completionTokens - 1)) / (endedAt - firstTextAt);
}

function tally(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : rounded(part / whole, 4);
}
