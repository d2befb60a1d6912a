import { criticalPath } from "../critical-path.ts";
import { mean, rounded, sum } from "../statistics.ts";
import { STEPS, type Step, type StepSpan } from "../types.ts";
import type { Sample } from "./drive.ts";

/** Where a part of a reader's wait went. `generator`: the load generator sent late. `network`: connection, waiting to be accepted or begun, and reading. */
export type Part = Step | "orchestrator" | "network" | "generator";

export interface PartShare {
  readonly part: Part;
  /** Mean over the answers. */
  readonly ms: number;
  /** Of the mean wait; all parts sum to 1. */
  readonly share: number;
}

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
  return split(end.spans, { wholeMs: firstTextAt - dueAt, serverMs: end.firstTextMs, lagMs: sentAt - dueAt });
}

function totalSplit({ dueAt, sentAt, endedAt, end }: Sample): Split | null {
  if (!end) return null;
  return split(end.spans, { wholeMs: endedAt - dueAt, serverMs: end.totalMs, lagMs: sentAt - dueAt });
}

interface Wait {
  readonly wholeMs: number;
  readonly serverMs: number;
  readonly lagMs: number;
}

/** Steps beside each other count once: the time of those that were waited for. */
function split(spans: readonly StepSpan[], { wholeMs, serverMs, lagMs }: Wait): Split {
  const { reader = 0, ...steps } = Object.fromEntries(criticalPath(spans, serverMs)) as Partial<
    Record<Step | "reader", number>
  >;
  const ran = sum(Object.values(steps));
  const parts = new Map(Object.entries(steps) as [Part, number][]);
  parts.set("orchestrator", Math.max(0, serverMs - ran - reader));
  parts.set("generator", lagMs);
  parts.set("network", Math.max(0, wholeMs - lagMs - serverMs) + reader);
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
