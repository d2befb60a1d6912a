import type { Logger } from "pino";
import type { Run } from "../run.ts";
import { rounded } from "../timeline.ts";
import type { AnswerEvent } from "../types.ts";
import type { AskedAnswer } from "./observed-answer.ts";
import type { Outcome } from "./outcome.ts";

export interface EndedAnswer {
  /** Absent: its reader left, or it could not begin. */
  readonly last: AnswerEvent | undefined;
  readonly outcome: Outcome;
  readonly ms: number;
  readonly run: Run;
  /** Where the log has content. */
  readonly text: string;
}

/** One line an answer, of level `info` however it ended, since failures have lines of their own; what was asked and said is in it only where `log.content` is set. */
export class AnswerLog {
  readonly #log: Logger;
  readonly hasContent: boolean;

  constructor(log: Logger, hasContent: boolean) {
    this.#log = log;
    this.hasContent = hasContent;
  }

  write({ question, ...asked }: AskedAnswer, { last, outcome, ms, run, text }: EndedAnswer): void {
    if (!this.#log.isLevelEnabled("info")) return;
    const line = {
      ...asked,
      outcome,
      ...(last?.type === "answer-error" && { code: last.error.code, step: last.error.step }),
      totalMs: rounded(ms),
      ...(last?.type === "answer-end" && {
        firstTextMs: last.firstTextMs === null ? null : rounded(last.firstTextMs),
        finishReason: last.finishReason,
        tokens: last.usage,
        cached: last.cached,
      }),
      timings: run.timeline.timings,
      degraded: run.degraded.map(({ step, reason }) => `${step}: ${reason}`),
      ...(this.hasContent && { question, answer: text }),
    };
    this.#log.info(line, "answer");
  }
}
