import { ERRORS, type ErrorCode } from "../errors.ts";
import { sum } from "../statistics.ts";
import { STEPS, type Step } from "../types.ts";
import { parseExposition, type Sample } from "./exposition.ts";

/** Two readings of `/metrics`, so many seconds apart; `before` null: everything since the server's start, for which `seconds` stands. */
export interface Scraped {
  readonly before: string | null;
  readonly after: string;
  readonly seconds: number;
}

export interface StepTraffic {
  readonly step: Step;
  /** That ended. */
  readonly perSecond: number;
  readonly meanMs: number;
  /** Calls that waited for their turn, on average over the time: Little's law, rate times mean wait. */
  readonly inLine: number;
  readonly queueMs: number;
  /** Of its calls: timed out, refused or failed, so that the answer was made without it. */
  readonly givenUp: number;
  /** Calls at the first reading; null: there was none. */
  readonly underWayBefore: number | null;
  readonly underWay: number;
}

/** Answers that ended with an error of ours or of a dependency; errors of other requests, which have no step, are left out. */
export interface Failures {
  /** Null: none was at fault. */
  readonly step: Step | null;
  readonly codes: readonly string[];
  readonly count: number;
}

/** What a server did between two readings of its metrics. */
export interface Traffic {
  readonly seconds: number;
  /** Answers that ended, but those that the caller's own error ended. */
  readonly ended: number;
  readonly whole: number;
  readonly withText: number;
  /** Most first. */
  readonly failures: readonly Failures[];
  readonly steps: readonly StepTraffic[];
  /** What the first text waited for, mean of the answers that had any. */
  readonly waits: readonly { readonly stage: Step; readonly ms: number }[];
  readonly meanMs: number;
  /** Answers under way at the last reading. */
  readonly underWay: number;
  /** Shares of the time; null: unknown. The processor's is of one core. */
  readonly cpuShare: number | null;
  readonly loopShare: number | null;
  readonly loopDelayMs: number | null;
}

type Labels = Readonly<Record<string, string>>;

export function trafficOf({ before, after, seconds }: Scraped): Traffic {
  const earlier = before === null ? [] : parseExposition(before);
  const later = parseExposition(after);
  /** The increase of a counter; one that is lower than before was begun anew. */
  const increase = (name: string, labels: Labels = {}) => {
    const [from, to] = [total(earlier, name, labels), total(later, name, labels)];
    return to >= from ? to - from : to;
  };
  const meanMs = (name: string, labels: Labels = {}) => {
    const count = increase(`${name}_count`, labels);
    return count > 0 ? (1000 * increase(`${name}_sum`, labels)) / count : 0;
  };
  const ended = (outcome: string) => increase("ragline_request_duration_seconds_count", { outcome });
  const whole = ended("ok") + ended("degraded");
  const withText = increase("ragline_time_to_first_token_seconds_count");
  const steps = STEPS.flatMap((step): StepTraffic[] => {
    const calls = increase("ragline_step_duration_seconds_count", { step });
    const underWay = total(later, "ragline_active_steps", { step });
    if (calls + underWay === 0) return [];
    const queued = increase("ragline_step_queue_seconds_sum", { step });
    return [
      {
        step,
        perSecond: calls / seconds,
        meanMs: meanMs("ragline_step_duration_seconds", { step }),
        inLine: queued / seconds,
        queueMs: calls === 0 ? 0 : (1000 * queued) / calls,
        // These count when they happen, calls when their answer is over, which may have been before or come after.
        givenUp: calls === 0 ? 0 : Math.min(1, increase("ragline_degradations_total", { step }) / calls),
        underWayBefore: before === null ? null : total(earlier, "ragline_active_steps", { step }),
        underWay,
      },
    ];
  });
  const waits = STEPS.flatMap((step) => {
    const waited = increase("ragline_first_text_wait_seconds_total", { step });
    return waited > 0 && withText > 0 ? [{ stage: step, ms: (1000 * waited) / withText }] : [];
  });
  const shareOf = (name: string) => (before === null || total(later, name, {}) === 0 ? null : increase(name) / seconds);
  const loopDelay = later.find(
    ({ name, labels }) => name === "ragline_event_loop_delay_seconds" && labels.quantile === "0.99",
  );
  return {
    seconds,
    ended: whole + ended("failed") + ended("cancelled"),
    whole,
    withText,
    failures: failuresOf(later, ended("failed"), (labels) => increase("ragline_errors_total", labels)),
    steps,
    waits,
    meanMs: meanMs("ragline_request_duration_seconds"),
    underWay: total(later, "ragline_active_streams", {}),
    cpuShare: shareOf("process_cpu_seconds_total"),
    loopShare: shareOf("ragline_event_loop_active_seconds_total"),
    loopDelayMs: loopDelay ? loopDelay.value * 1000 : null,
  };
}

function failuresOf(
  samples: readonly Sample[],
  failedAnswers: number,
  increase: (labels: Labels) => number,
): Failures[] {
  const errors = samples
    .filter(({ name, labels: { code = "" } }) => name === "ragline_errors_total" && isFailure(code))
    .map(({ labels }) => ({ ...labels, count: increase(labels) }) as Labels & { count: number })
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
  const failures = [...Map.groupBy(errors, ({ step }) => STEPS.find((one) => one === step) ?? null)].map(
    ([step, of]) => ({ step, codes: of.map(({ code = "" }) => code), count: sum(of.map(({ count }) => count)) }),
  );
  const inSteps = sum(failures.map(({ step, count }) => (step === null ? 0 : count)));
  const most = (step: Step | null) => (step === null ? Math.max(0, failedAnswers - inSteps) : Number.POSITIVE_INFINITY);
  return failures
    .map((one) => ({ ...one, count: Math.min(one.count, most(one.step)) }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
}

/** The others are the caller's own. */
function isFailure(code: string): boolean {
  return (ERRORS[code as ErrorCode]?.status ?? 500) >= 500;
}

function total(samples: readonly Sample[], name: string, labels: Labels): number {
  const found = samples.filter((sample) => sample.name === name && matches(sample, labels));
  return sum(found.map(({ value }) => value));
}

function matches(sample: Sample, labels: Labels): boolean {
  return Object.entries(labels).every(([name, value]) => sample.labels[name] === value);
}
