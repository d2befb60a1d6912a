import type { StepSpan } from "./types.ts";

/** Steps that end within this of each other ended together; milliseconds. */
const TOGETHER_MS = 0.05;

/**
 * What was waited for up to `untilMs`, by step, milliseconds: seen from there backwards, the step that ended last; before it
 * began, the one that had ended last by then; and so on. Steps beside it that ended sooner cost nobody time. One that ended then goes
 * before one that still ran: a model's stream runs on while its answer waits to be saved.
 */
export function criticalPath(spans: readonly StepSpan[], untilMs: number): Map<StepSpan["step"], number> {
  const path = new Map<StepSpan["step"], number>();
  for (let at = untilMs; ; ) {
    const [first, ...others] = spans.filter(({ startMs }) => startMs < at);
    if (!first) return path;
    const last = others.reduce((best, span) => (isLater(span, best, at) ? span : best), first);
    path.set(last.step, (path.get(last.step) ?? 0) + Math.min(endOf(last), at) - last.startMs);
    at = last.startMs;
  }
}

function isLater(span: StepSpan, than: StepSpan, at: number): boolean {
  const later = Math.min(endOf(span), at) - Math.min(endOf(than), at);
  return Math.abs(later) > TOGETHER_MS ? later > 0 : endOf(span) < endOf(than);
}

function endOf({ startMs, ms }: StepSpan): number {
  return startMs + ms;
}
