import type { StepSpan } from "../../src/types.ts";

/** The share of the whole that spans cover; where they overlap, time counts once. */
export function explained(spans: readonly StepSpan[], totalMs: number): number {
  let reachedMs = 0;
  let coveredMs = 0;
  for (const { startMs, ms } of spans.toSorted((a, b) => a.startMs - b.startMs)) {
    const endMs = Math.min(startMs + ms, totalMs);
    coveredMs += Math.max(0, endMs - Math.max(startMs, reachedMs));
    reachedMs = Math.max(reachedMs, endMs);
  }
  return coveredMs / totalMs;
}
