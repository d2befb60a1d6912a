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
 * One row a step, in the order they began: name, on a common scale a bar wherever it ran, milliseconds together; below it what is
 * known of its parts. On a terminal too narrow for bars, rows without.
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
  const seen = spans.filter(({ step, ms }) => step !== "reader" || ms >= totalMs * READER_SHARE_MIN);
  for (const [step, ran] of Map.groupBy(seen, (span) => span.step)) {
    const bar = width === 0 ? "" : ` ${barsOf(ran, totalMs, width, paint)}`;
    const ms = sum(ran, (span) => span.ms) ?? 0;
    lines.push(`${step.padEnd(NAME_WIDTH)}${bar} ${`${ms.toFixed(2)} ms`.padStart(MS_WIDTH)}`);
    const details = detailsOf(step, ran, calls);
    if (details) lines.push(paint("dim", `${" ".repeat(width === 0 ? 2 : NAME_WIDTH + 1)}${details}`));
  }
  return lines;
}

function barsOf(spans: readonly StepSpan[], totalMs: number, width: number, paint: WaterfallOptions["paint"]): string {
  const at = (ms: number) => Math.round((Math.max(0, Math.min(ms, totalMs)) / (totalMs || 1)) * width);
  const cells: (Part | null)[] = Array.from({ length: width }, () => null);
  for (const span of spans) {
    const from = Math.min(at(span.startMs), width - 1);
    const to = Math.max(from + 1, at(span.startMs + span.ms));
    let endMs = span.startMs;
    let drawn = from;
    let last: Part = "ran";
    for (const [part, ms] of partsOf(span)) {
      endMs += ms;
      const end = Math.min(to, Math.max(drawn, at(endMs)));
      cells.fill(part, drawn, end);
      drawn = end;
      last = part;
    }
    cells.fill(last, drawn, to);
  }
  return painted(cells, paint);
}

function painted(cells: readonly (Part | null)[], paint: WaterfallOptions["paint"]): string {
  let bar = "";
  for (let from = 0, to = 0; from < cells.length; from = to) {
    const part = cells[from] ?? null;
    while (to < cells.length && cells[to] === part) to++;
    bar += part ? paint(PARTS[part].style, PARTS[part].mark.repeat(to - from)) : " ".repeat(to - from);
  }
  return bar;
}

function partsOf({ step, ms, queueMs = 0, serviceMs, networkMs = 0 }: StepSpan): (readonly [Part, number])[] {
  if (step === "reader") return [["reader", ms]];
  const queued = queueMs > 0 ? [["queue", queueMs] as const] : [];
  if (serviceMs === undefined) return [...queued, ["ran", Math.max(0, ms - queueMs)]];
  return [...queued, ["service", serviceMs], ["network", networkMs]];
}

function detailsOf(step: StepSpan["step"], spans: readonly StepSpan[], calls: Calls): string {
  const made = step === "reader" ? undefined : calls[step];
  const queueMs = sum(spans, (span) => span.queueMs);
  const serviceMs = sum(spans, (span) => span.serviceMs);
  const networkMs = sum(spans, (span) => span.networkMs);
  const parts = [
    queueMs !== undefined && `queue ${queueMs.toFixed(2)}`,
    serviceMs !== undefined && `service ${serviceMs.toFixed(2)}`,
    networkMs !== undefined && `network ${networkMs.toFixed(2)}`,
    made && `${made.calls} ${made.calls === 1 ? "call" : "calls"}, ${made.inputTokens} + ${made.outputTokens} tokens`,
  ];
  return parts.filter((part) => part !== undefined && part !== false).join(", ");
}

/** Undefined where no span has it. */
function sum(spans: readonly StepSpan[], value: (span: StepSpan) => number | undefined): number | undefined {
  const values = spans.map(value).filter((one) => one !== undefined);
  return values.length === 0 ? undefined : values.reduce((total, one) => total + one, 0);
}
