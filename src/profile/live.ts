import { sum } from "../statistics.ts";
import { STEPS, type Step } from "../types.ts";
import { adviceFor } from "./advice.ts";
import { type Bottleneck, type Finding, firstTextFinding, rate } from "./bottleneck.ts";
import { parseExposition, type Sample } from "./exposition.ts";

/** Two readings of `/metrics`, so many seconds apart; `before` null: everything since the server's start, for which `seconds` stands. */
export interface Scraped {
  readonly before: string | null;
  readonly after: string;
  readonly seconds: number;
}

interface StepTraffic {
  readonly step: Step;
  readonly perSecond: number;
  readonly meanMs: number;
  /** Calls that waited for their turn, on average over the time: Little's law, rate times mean wait. */
  readonly inLine: number;
  readonly queueMs: number;
  /** Of its calls: timed out, refused or failed, so that the answer was made without it. */
  readonly givenUp: number;
}

interface Traffic {
  readonly answersPerSecond: number;
  readonly firstTextMs: number | null;
  readonly steps: readonly StepTraffic[];
  /** Share of one core; null: unknown. */
  readonly cpuShare: number | null;
  readonly loopDelayMs: number | null;
}

/** Fewer calls in line than this are chance. */
const IN_LINE_MIN = 0.2;
const GIVEN_UP_MIN = 0.02;
const CPU_SHARE_BUSY = 0.85;
const BEFORE_TEXT: readonly Step[] = ["session", "rewrite", "cache", "embed", "search", "rerank", "prompt"];

/** From live metrics: where calls stand in line, and what the first text waits for. */
export function liveBottleneck(scraped: Scraped, emulated: readonly Step[]): Bottleneck {
  const traffic = trafficOf(scraped);
  const since = scraped.before === null ? "since its start" : `over ${scraped.seconds} s`;
  if (traffic.answersPerSecond === 0) {
    const nothing: Finding = {
      stage: null,
      because: `no question was answered ${since}`,
      advice: "ask it something: ragline load",
    };
    return { throughput: nothing, firstText: nothing, emulated, notes: [] };
  }
  const notes = traffic.loopDelayMs === null ? [] : [`event loop delay, p99: ${traffic.loopDelayMs.toFixed(1)} ms`];
  return {
    throughput: throughputFinding(traffic),
    firstText: firstTextFinding(waitsOf(traffic), `${rate(traffic.answersPerSecond)}, means ${since}`),
    emulated,
    notes,
  };
}

function throughputFinding({ steps, answersPerSecond, cpuShare }: Traffic): Finding {
  if (cpuShare !== null && cpuShare > CPU_SHARE_BUSY) {
    const because = `the process itself uses ${Math.round(cpuShare * 100)}% of a core at ${rate(answersPerSecond)}`;
    return { stage: "process", because, advice: adviceFor("process").throughput };
  }
  // A call that was given up had waited for the step's whole limit.
  const weight = ({ inLine, givenUp, perSecond, meanMs }: StepTraffic) =>
    inLine + (givenUp * perSecond * meanMs) / 1000;
  const [worst] = steps
    .filter(({ inLine, givenUp }) => inLine >= IN_LINE_MIN || givenUp >= GIVEN_UP_MIN)
    .sort((a, b) => weight(b) - weight(a));
  if (!worst) return unbound(steps, answersPerSecond, cpuShare);
  const line =
    worst.inLine >= IN_LINE_MIN
      ? `${worst.inLine.toFixed(1)} calls wait in line on average, ${worst.queueMs.toFixed(0)} ms each`
      : "";
  const lost = worst.givenUp >= GIVEN_UP_MIN ? `${Math.round(worst.givenUp * 100)}% of its calls are given up` : "";
  const because = `${worst.step}: ${[line, lost].filter(Boolean).join(", and ")}, at ${rate(worst.perSecond)}`;
  return { stage: worst.step, because, advice: adviceFor(worst.step).throughput };
}

function unbound(steps: readonly StepTraffic[], answersPerSecond: number, cpuShare: number | null): Finding {
  const underWay = ({ perSecond, meanMs }: StepTraffic) => (perSecond * meanMs) / 1000;
  const [busiest] = steps.toSorted((a, b) => underWay(b) - underWay(a));
  const facts = [
    `at ${rate(answersPerSecond)} nothing waits in line and nothing is given up`,
    ...(busiest
      ? [`${busiest.step} has the most calls under way, ${underWay(busiest).toFixed(2)} at once on average`]
      : []),
    ...(cpuShare === null ? [] : [`the process uses ${Math.round(cpuShare * 100)}% of a core`]),
  ];
  const advice = "nothing at this load; to find the bound raise it (ragline load --rate), or profile the stages";
  return { stage: null, because: facts.join("; "), advice };
}

function waitsOf({ steps, firstTextMs, answersPerSecond }: Traffic): { stage: Step; ms: number }[] {
  // By question: a step that only some of them need weighs so much less.
  const waits = steps
    .filter(({ step }) => BEFORE_TEXT.includes(step))
    .map(({ step, meanMs, perSecond }) => ({ stage: step, ms: (meanMs * perSecond) / answersPerSecond }));
  const before = sum(waits.map(({ ms }) => ms));
  if (firstTextMs !== null) waits.push({ stage: "generate", ms: Math.max(0, firstTextMs - before) });
  return waits;
}

function trafficOf({ before, after, seconds }: Scraped): Traffic {
  const earlier = before === null ? [] : parseExposition(before);
  const later = parseExposition(after);
  /** The increase of a counter; one that is lower than before was begun anew. */
  const increase = (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const [from, to] = [total(earlier, name, labels), total(later, name, labels)];
    return to >= from ? to - from : to;
  };
  const gauge = (name: string, labels: Readonly<Record<string, string>>) => {
    const found = later.filter((sample) => sample.name === name && matches(sample, labels));
    return found[0]?.value ?? null;
  };
  const meanMs = (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const count = increase(`${name}_count`, labels);
    return count > 0 ? (1000 * increase(`${name}_sum`, labels)) / count : null;
  };
  const steps = STEPS.flatMap((step): StepTraffic[] => {
    const calls = increase("ragline_step_duration_seconds_count", { step });
    if (calls === 0) return [];
    const queued = increase("ragline_step_queue_seconds_sum", { step });
    return [
      {
        step,
        perSecond: calls / seconds,
        meanMs: meanMs("ragline_step_duration_seconds", { step }) ?? 0,
        inLine: queued / seconds,
        queueMs: (1000 * queued) / calls,
        // These count when they happen, calls when their answer is over, which may have been before or come after.
        givenUp: Math.min(1, increase("ragline_degradations_total", { step }) / calls),
      },
    ];
  });
  const loop = gauge("ragline_event_loop_delay_seconds", { quantile: "0.99" });
  const cpu = increase("ragline_process_cpu_seconds_total") || increase("process_cpu_seconds_total");
  return {
    answersPerSecond: increase("ragline_request_duration_seconds_count") / seconds,
    firstTextMs: meanMs("ragline_time_to_first_token_seconds"),
    steps,
    cpuShare: before === null || cpu === 0 ? null : cpu / seconds,
    loopDelayMs: loop === null ? null : loop * 1000,
  };
}

function total(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  return sum(samples.filter((sample) => sample.name === name && matches(sample, labels)).map(({ value }) => value));
}

function matches(sample: Sample, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => sample.labels[name] === value);
}
