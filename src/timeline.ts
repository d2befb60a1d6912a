import { type Served, STEPS, type Step, type StepSpan, type Timings } from "./types.ts";

/** Milliseconds of one step of a request. */
export interface StepTotal {
  readonly step: Step;
  readonly ms: number;
  readonly queueMs: number;
}

/** When each step of a request ran. What is done between two steps counts to the one that it is done for, so that nothing is left out. */
export class Timeline {
  readonly startedAt = performance.now();
  readonly timings: Timings = {};
  readonly spans: StepSpan[] = [];
  #running = 0;
  #idleSince = this.startedAt;
  #last: (StepSpan & { readonly step: Step; ms: number }) | undefined;
  #isOver = false;

  /** @returns since when a step that begins now counts: what was done since the one before it ended was done for it. */
  begin(): number {
    return this.#running++ > 0 || this.#isOver ? performance.now() : this.#idleSince;
  }

  /** A step that counts since `startedAt` has ended. `early`: of a call that began ahead of it. */
  end(step: Step, startedAt: number, served: Served, early?: Served): StepSpan {
    const queueMs = served.queueMs + (early?.queueMs ?? 0);
    const serviceMs = served.serviceMs + (early?.serviceMs ?? 0);
    const now = performance.now();
    if (--this.#running === 0) this.#idleSince = now;
    const ms = rounded(now - startedAt);
    this.#add(step, ms);
    const span = {
      step,
      startMs: rounded(startedAt - this.startedAt),
      ms,
      ...(queueMs > 0 && { queueMs: rounded(queueMs) }),
      ...(serviceMs > 0 && {
        serviceMs: rounded(serviceMs),
        networkMs: rounded(Math.max(0, ms - queueMs - serviceMs)),
      }),
    };
    this.#last = span;
    this.spans.push(span);
    return span;
  }

  /** What each step took altogether, however often it began. */
  totals(): StepTotal[] {
    return STEPS.flatMap((step): StepTotal[] => {
      const ms = this.timings[step];
      if (ms === undefined) return [];
      const queueMs = this.spans.reduce((sum, span) => sum + (span.step === step ? (span.queueMs ?? 0) : 0), 0);
      return [{ step, ms, queueMs }];
    });
  }

  /** Milliseconds up to now, when all steps are over: what was done since the last one counts to it. */
  totalMs(): number {
    const now = performance.now();
    this.#settle(now);
    return now - this.startedAt;
  }

  /** The answer waited for its reader from then until now, between two steps. */
  waitedForReader(since: number): void {
    const now = performance.now();
    this.#settle(since);
    this.#idleSince = now;
    this.spans.push({ step: "reader", startMs: rounded(since - this.startedAt), ms: rounded(now - since) });
  }

  /** The answer's last event is out: what follows counts for itself. */
  close(): void {
    this.#isOver = true;
  }

  /** What was done between the last step's end and `until`, where none runs, was done for that step. */
  #settle(until: number): void {
    const span = this.#last;
    if (this.#running > 0 || !span) return;
    const ms = rounded(until - this.#idleSince);
    this.#idleSince = until;
    span.ms = rounded(span.ms + ms);
    this.#add(span.step, ms);
  }

  #add(step: Step, ms: number): void {
    this.timings[step] = rounded((this.timings[step] ?? 0) + ms);
  }
}

/** To the microsecond. */
export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
