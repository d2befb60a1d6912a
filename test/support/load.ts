import type { AnswerEnd } from "../../src/load/client.ts";
import type { DrivenRun, Sample } from "../../src/load/drive.ts";
import type { SummaryContext } from "../../src/load/summary.ts";

export const ANSWER_END: AnswerEnd = {
  timings: { session: 1, embed: 9, search: 10, rerank: 20, prompt: 10, generate: 100, save: 5 },
  spans: [
    { step: "session", startMs: 0, ms: 1 },
    { step: "embed", startMs: 1, ms: 9 },
    { step: "search", startMs: 10, ms: 10 },
    { step: "rerank", startMs: 20, ms: 20 },
    { step: "prompt", startMs: 40, ms: 10 },
    { step: "generate", startMs: 50, ms: 100 },
    { step: "save", startMs: 155, ms: 5 },
  ],
  calls: {},
  firstTextMs: 90,
  totalMs: 160,
  degraded: [],
  cached: false,
  usage: { completionTokens: 11 },
};

/** An answer that was due at `dueAt`, sent 2 ms later, with its first text after 100 ms and its end after 200 ms. */
export function sample(dueAt: number, change: Partial<Sample> = {}): Sample {
  return {
    plannedAt: dueAt,
    dueAt,
    sentAt: dueAt + 2,
    firstTextAt: dueAt + 100,
    endedAt: dueAt + 200,
    failure: null,
    end: ANSWER_END,
    textEvents: 10,
    ...change,
  };
}

export function drivenRun(samples: readonly Sample[], change: Partial<DrivenRun> = {}): DrivenRun {
  const startedAt = new Date("2026-11-25T20:00:00Z");
  return { startedAt, ms: 10_000, samples, notAsked: 0, generator: { cpuShare: 0.1, loopDelayMs: 1 }, ...change };
}

export const CONTEXT: SummaryContext = {
  url: "http://127.0.0.1:8787",
  arrivals: "Poisson arrivals",
  questions: "3 questions",
  emulated: [],
  arrivalsMs: 10_000,
  objectiveMs: 150,
  warmUpMs: 0,
};
