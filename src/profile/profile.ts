import type { Percentiles } from "../statistics.ts";
import type { Step } from "../types.ts";

/** What `ragline profile` writes: every stage driven alone. Times in milliseconds, rates per second. */
export interface Profile {
  readonly version: 1;
  readonly measuredAt: string;
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string };
  /** Stages that an emulated server does: their figures are no model's. */
  readonly emulated: readonly Step[];
  readonly stages: readonly StageProfile[];
}

export const PROFILED = ["embed", "search", "rerank", "generate"] as const;
export type ProfiledStep = (typeof PROFILED)[number];

export interface StageProfile {
  readonly step: ProfiledStep;
  /** The configuration's `use`, and the model's name where there is one. */
  readonly use: string;
  readonly model: string;
  /** What one question asks of it: texts a call (of `rerank` the passages found). */
  readonly textsPerCall: number;
  /** A call as one question makes it, one at a time. Of `generate` until the first text. Null: none came back. */
  readonly serviceMs: Percentiles | null;
  /** Of `generate`: the whole answer. */
  readonly wholeMs: Percentiles | null;
  /** By texts a call, one call at a time; empty where a call has but one. */
  readonly batches: readonly BatchPoint[];
  readonly fit: Fit | null;
  /** By callers, each with its next call as soon as the last has ended. */
  readonly concurrency: readonly ConcurrencyPoint[];
  /** The most calls a second of any number of callers. */
  readonly callsPerSecondMax: number;
  /** Processor time of this process alone, a call as one question makes it; what other processes spend is not in it. */
  readonly cpuMsPerCall: number | null;
  readonly cpuMsPerText: number | null;
  /** Latency less the server's own queue and service; null: the stage does not tell those. */
  readonly rpcOverheadMs: Percentiles | null;
  /** By code. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface BatchPoint {
  readonly texts: number;
  readonly ms: Percentiles;
}

export interface ConcurrencyPoint {
  readonly callers: number;
  readonly callsPerSecond: number;
  readonly ms: Percentiles;
}

/** latency(n) = fixedMs + n · perTextMs, least squares over the medians. */
export interface Fit {
  readonly fixedMs: number;
  readonly perTextMs: number;
  /** Root of the mean squared error over the points, and that as a share of their mean. */
  readonly errorMs: number;
  readonly errorShare: number;
}
