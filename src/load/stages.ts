import { mean, rounded, sum } from "../statistics.ts";
import { STEPS, type Step } from "../types.ts";
import type { Sample } from "./drive.ts";

/** Where a part of a reader's wait went. `generator`: the load generator sent late. `network`: connection, and reading. */
export type Part = Step | "orchestrator" | "network" | "generator";

export interface PartShare {
  readonly part: Part;
  /** Mean over the answers. */
  readonly ms: number;
  /** Of the mean wait; all parts sum to 1. */
  readonly share: number;
}

/** Steps before the model; `save` is begun beside them. */
const BEFORE_TEXT: readonly Step[] = ["session", "rewrite", "cache", "embed", "search", "rerank", "prompt"];

interface Split {
  readonly wholeMs: number;
  readonly parts: ReadonlyMap<Part, number>;
}

/** Mean shares of the time to the first text, from when it was due. Only whole answers tell their timings. */
export function firstTextShares(samples: readonly Sample[]): PartShare[] {
  return shares(samples.flatMap((sample) => firstTextSplit(sample) ?? []));
}

/** Mean shares of the whole answer's time. */
export function totalShares(samples: readonly Sample[]): PartShare[] {
  return shares(samples.flatMap((sample) => totalSplit(sample) ?? []));
}

function firstTextSplit({ dueAt, sentAt, firstTextAt, end }: Sample): Split | null {
  if (!end || firstTextAt === null || end.firstTextMs === null) return null;
  const parts = new Map<Part, number>();
  for (const step of BEFORE_TEXT) parts.set(step, end.timings[step] ?? 0);
  const before = Math.min(end.firstTextMs, sum([...parts.values()]));
  const rest = end.firstTextMs - before;
  // Until its first token the model has what the steps before it leave.
  parts.set(end.timings.generate === undefined ? "orchestrator" : "generate", rest);
  return complete(parts, { wholeMs: firstTextAt - dueAt, serverMs: end.firstTextMs, lagMs: sentAt - dueAt });
}

function totalSplit({ dueAt, sentAt, endedAt, end }: Sample): Split | null {
  if (!end) return null;
  const parts = new Map<Part, number>();
  for (const step of STEPS) if (step !== "compact" && step !== "save") parts.set(step, end.timings[step] ?? 0);
  const rest = Math.max(0, end.totalMs - sum([...parts.values()]));
  // What of it the others do not cover.
  const save = Math.min(end.timings.save ?? 0, rest);
  parts.set("save", save);
  parts.set("orchestrator", rest - save);
  return complete(parts, { wholeMs: endedAt - dueAt, serverMs: end.totalMs, lagMs: sentAt - dueAt });
}

function complete(
  parts: Map<Part, number>,
  { wholeMs, serverMs, lagMs }: { readonly wholeMs: number; readonly serverMs: number; readonly lagMs: number },
): Split {
  parts.set("generator", lagMs);
  parts.set("network", Math.max(0, wholeMs - lagMs - serverMs));
  return { wholeMs, parts };
}

function shares(splits: readonly Split[]): PartShare[] {
  const order: readonly Part[] = ["generator", "network", ...STEPS, "orchestrator"];
  const means = order.map((part) => ({ part, ms: mean(splits.map(({ parts }) => parts.get(part) ?? 0)) }));
  const whole = sum(means.map(({ ms }) => ms));
  return means
    .filter(({ ms }) => ms > 0)
    .map(({ part, ms }) => ({ part, ms: rounded(ms, 3), share: rounded(ms / whole, 4) }));
}
