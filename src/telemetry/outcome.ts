import { ERRORS, type ErrorCode } from "../errors.ts";
import type { AnswerEvent } from "../types.ts";

/** `refused`: the caller's error (4xx); `failed`: ours or a dependency's (5xx). */
export type Outcome = "ok" | "degraded" | "refused" | "failed" | "cancelled";

/** How an answer ended; one without a last event was left by its reader. */
export function outcomeOf(last: AnswerEvent | undefined): Outcome {
  if (last?.type === "answer-end") return last.degraded.length > 0 ? "degraded" : "ok";
  if (last?.type === "answer-error") return outcomeOfCode(last.error.code);
  return "cancelled";
}

function outcomeOfCode(code: string): Outcome {
  return outcomeOfStatus(ERRORS[code as ErrorCode]?.status ?? 500);
}

export function outcomeOfStatus(status: number): Outcome {
  if (status < 400) return "ok";
  if (status === ERRORS.cancelled.status) return "cancelled";
  return status < 500 ? "refused" : "failed";
}
