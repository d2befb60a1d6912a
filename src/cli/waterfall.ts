import type { Calls, StepSpan } from "../index.ts";

/** What a part of a bar stands for, and how it is drawn; also without colours they can be told apart. */
const PARTS = {
  ran: { mark: "▇", style: "cyan" },
  queue: { mark: "░", style: "yellow" },
  service: { mark: "█", style: "green" },
  network: { mark: "▒", style: "blue" },
  reader: { mark: "·", style: "dim" },
} as const;
type Part = keyof typeof PARTS;
export type Style = (typeof PARTS)[Part]["style"];

const NAME_WIDTH = 9;
const MS_WIDTH = 13;
/** A shorter bar says nothing. */
const BAR_WIDTH_MIN = 10;
const BAR_WIDTH_MAX = 100;
/** Of the whole; a reader who came back sooner is not worth a row. */
const READER_SHARE_MIN = 0.005;

export interface WaterfallOptions {
  /** Of the terminal. */
  readonly columns: number;
  paint(style: Style, text: string): string;
}

/**
 * One row a span, in the order they began: name, a bar on a common scale, milliseconds; below it what is known of its parts. On a
 * terminal too narrow for bars, rows without.
 */
export function waterfall(
  spans: readonly StepSpan[],
  totalMs: number,
  calls: Calls,
  { columns, paint }: WaterfallOptions,
): string[] {
  const room = columns - NAME_WIDTH - MS_WIDTH - 2;
  const width = room < BAR_WIDTH_MIN ? 0 : Math.min(room, BAR_WIDTH_MAX);
  const lines: string[] = [];
  const told = new Set<string>();
  for (const span of spans) {
    if (span.step === "reader" && span.ms < totalMs * READER_SHARE_MIN) continue;
    const bar = width === 0 ? "" : ` ${barOf(span, totalMs, width, paint)}`;
    lines.push(`${span.step.padEnd(NAME_WIDTH)}${bar} ${`${span.ms.toFixed(2)} ms`.padStart(MS_WIDTH)}`);
    const details = detailsOf(span, told.has(span.step) ? {} : calls);
    told.add(span.step);
    if (details) lines.push(paint("dim", `${" ".repeat(width === 0 ? 2 : NAME_WIDTH + 1)}${details}`));
  }
  return lines;
}

function barOf(span: StepSpan, totalMs: number, width: number, paint: WaterfallOptions["paint"]): string {
  const at = (ms: number) => Math.round((Math.max(0, Math.min(ms, totalMs)) / (totalMs || 1)) * width);
  const from = Math.min(at(span.startMs), width - 1);
  const to = Math.max(from + 1, at(span.startMs + span.ms));
  let bar = " ".repeat(from);
  let drawn = from;
  let endMs = span.startMs;
  for (const [part, ms] of partsOf(span)) {
    endMs += ms;
    const end = Math.min(to, Math.max(drawn, at(endMs)));
    if (end > drawn) bar += paint(PARTS[part].style, PARTS[part].mark.repeat(end - drawn));
    drawn = Math.max(drawn, end);
  }
  const [last = "ran"] = partsOf(span).at(-1) ?? [];
  if (drawn < to) bar += paint(PARTS[last].style, PARTS[last].mark.repeat(to - drawn));
  return bar + " ".repeat(width - to);
}

function partsOf({ step, ms, queueMs = 0, serviceMs, networkMs = 0 }: StepSpan): (readonly [Part, number])[] {
  if (step === "reader") return [["reader", ms]];
  const queued = queueMs > 0 ? [["queue", queueMs] as const] : [];
  if (serviceMs === undefined) return [...queued, ["ran", Math.max(0, ms - queueMs)]];
  return [...queued, ["service", serviceMs], ["network", networkMs]];
}

function detailsOf({ step, queueMs, serviceMs, networkMs }: StepSpan, calls: Calls): string {
  const made = step === "reader" ? undefined : calls[step];
  const parts = [
    queueMs !== undefined && `queue ${queueMs.toFixed(2)}`,
    serviceMs !== undefined && `service ${serviceMs.toFixed(2)}`,
    networkMs !== undefined && `network ${networkMs.toFixed(2)}`,
    made && `${made.calls} ${made.calls === 1 ? "call" : "calls"}, ${made.inputTokens} + ${made.outputTokens} tokens`,
  ];
  return parts.filter((part) => part !== undefined && part !== false).join(", ");
}
