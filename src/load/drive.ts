import { monitorEventLoopDelay } from "node:perf_hooks";
import type { AnswerEnd, AskBody, LoadClient } from "./client.ts";
import type { Plan, PlannedSession } from "./plan.ts";

/** One question asked. Times are milliseconds since the run's start. */
export interface Sample {
  /** By the plan alone. */
  readonly plannedAt: number;
  /** When it could and should have been asked: as planned, or when the turn before had ended. Latency counts from here. */
  readonly dueAt: number;
  readonly sentAt: number;
  readonly firstTextAt: number | null;
  readonly endedAt: number;
  readonly failure: string | null;
  readonly end: AnswerEnd | null;
  readonly textEvents: number;
}

/** What the generator itself had to do with the figures. */
export interface GeneratorUsage {
  /** Its processor time as a share of one core. */
  readonly cpuShare: number;
  /** How long its event loop stood still, 99th percentile, milliseconds. */
  readonly loopDelayMs: number;
}

export interface DrivenRun {
  readonly startedAt: Date;
  readonly ms: number;
  readonly samples: readonly Sample[];
  /** Turns that became due after the run's end. */
  readonly notAsked: number;
  readonly generator: GeneratorUsage;
}

export interface DriveOptions {
  /** Sent with every question. */
  readonly ask: Omit<AskBody, "question" | "sessionId">;
  /** So long after the last arrival answers may go on; then they count as `unfinished`. */
  readonly drainMs: number;
  readonly signal: AbortSignal;
  onSample?(sample: Sample, inFlight: number): void;
}

/** Asks what the plan says, when it says so, whatever becomes of the answers. */
export async function drive(plan: Plan, client: LoadClient, options: DriveOptions): Promise<DrivenRun> {
  const end = new AbortController();
  const stop = () => end.abort();
  options.signal.addEventListener("abort", stop, { once: true });
  const usage = measureProcess();
  const startedAt = new Date();
  const run = new Driver(plan, client, options, end.signal);
  let drain: NodeJS.Timeout | undefined;
  try {
    const running: Promise<void>[] = [];
    for (const session of plan.sessions) {
      await run.reach(session[0].at);
      if (end.signal.aborted) break;
      running.push(run.converse(session));
    }
    drain = setTimeout(stop, options.drainMs);
    await Promise.all(running);
  } finally {
    clearTimeout(drain);
    options.signal.removeEventListener("abort", stop);
  }
  const { samples, notAsked } = run;
  return { startedAt, ms: run.now(), samples, notAsked, generator: usage() };
}

class Driver {
  readonly samples: Sample[] = [];
  notAsked = 0;
  readonly #plan: Plan;
  readonly #client: LoadClient;
  readonly #options: DriveOptions;
  readonly #signal: AbortSignal;
  readonly #zero = performance.now();
  #inFlight = 0;

  constructor(plan: Plan, client: LoadClient, options: DriveOptions, signal: AbortSignal) {
    this.#plan = plan;
    this.#client = client;
    this.#options = options;
    this.#signal = signal;
  }

  now(): number {
    return performance.now() - this.#zero;
  }

  /** Resolves at that time of the run, or when it is stopped. */
  async reach(at: number): Promise<void> {
    for (let leftMs = at - this.now(); leftMs > 0 && !this.#signal.aborted; leftMs = at - this.now()) {
      await pause(Math.ceil(leftMs), this.#signal);
    }
  }

  async converse(session: PlannedSession): Promise<void> {
    let sessionId: string | null = null;
    let endedAt = 0;
    for (const [number, turn] of session.entries()) {
      const plannedAt = "at" in turn ? turn.at : endedAt + turn.thinkMs;
      const dueAt = Math.max(plannedAt, endedAt);
      if (dueAt <= this.#plan.dueMaxMs) await this.reach(dueAt);
      if (dueAt > this.#plan.dueMaxMs || this.#signal.aborted) {
        this.notAsked += session.length - number;
        return;
      }
      const followUp = sessionId !== null && { sessionId };
      this.#inFlight++;
      const reply = await this.#client.ask(
        { ...this.#options.ask, question: turn.question, ...followUp },
        this.#signal,
      );
      this.#inFlight--;
      const { firstTextAt, failure, end, textEvents } = reply;
      sessionId = reply.sessionId ?? sessionId;
      endedAt = reply.endedAt - this.#zero;
      const sample: Sample = {
        plannedAt,
        dueAt,
        sentAt: reply.sentAt - this.#zero,
        firstTextAt: firstTextAt === null ? null : firstTextAt - this.#zero,
        endedAt,
        failure,
        end,
        textEvents,
      };
      this.samples.push(sample);
      this.#options.onSample?.(sample, this.#inFlight);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

function measureProcess(): () => GeneratorUsage {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  return () => {
    delay.disable();
    const { user, system } = process.cpuUsage(before);
    const cpuShare = (user + system) / 1000 / (performance.now() - startedAt);
    // The histogram holds the timer's own 10 ms.
    return { cpuShare, loopDelayMs: Math.max(0, delay.percentile(99) / 1e6 - 10) };
  };
}
