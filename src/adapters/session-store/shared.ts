import { RaglineError } from "../../errors.ts";
import type { Asked } from "../../ports/session-store.ts";
import type { FinishedTurn, Session } from "../../types.ts";

export function emptySession(id: string): Session {
  const counts = { version: 0, summarizedTurns: 0, turnCount: 0, totalTokens: 0 };
  return { id, ...counts, summary: "", entities: [], turns: [], pending: [], recall: null };
}

/** What becomes of a question whose answer never comes. */
export function neverAnswered({ requestId, question, tokens }: Asked): FinishedTurn {
  const at = new Date().toISOString();
  return { requestId, question, query: question, answer: "", status: "interrupted", tokens, at };
}

export function neverBegun(): RaglineError {
  return new RaglineError(
    "not_found",
    "The conversation was deleted, has expired or was evicted while the question was answered.",
  );
}

export function tooManyPending(pendingMax: number): RaglineError {
  return new RaglineError("rate_limited", `sessionId: ${pendingMax} questions are being answered in it, the limit`);
}
