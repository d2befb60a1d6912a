import { RaglineError, RETRY_AFTER_MS } from "../../errors.ts";
import type { Asked, SessionPlace } from "../../ports/session-store.ts";
import type { FinishedTurn, Scope, Session } from "../../types.ts";

export function emptySession(id: string): Session {
  const counts = { version: 0, summarizedTurns: 0, turnCount: 0, totalTokens: 0 };
  return { id, ...counts, summary: "", entities: [], turns: [], pending: [], recall: null };
}

/** What becomes of a question whose answer never comes. */
export function neverAnswered({ requestId, question, tokens }: Asked): FinishedTurn {
  const at = new Date().toISOString();
  return { requestId, question, query: question, answer: "", status: "interrupted", tokens, at };
}

export function storedUser(user: string): string {
  return encodeURIComponent(user);
}

/** How the stored id of a user's session begins. Neither a stored user nor a session's own id has a slash. */
export function ofUser(user: string): string {
  return `${storedUser(user)}/`;
}

export function storedId({ user }: Pick<Scope, "user">, id: string): string {
  return user === undefined ? id : ofUser(user) + id;
}

/** The one that was last used first. */
export function inOrder(one: SessionPlace, other: SessionPlace): number {
  return other.usedAtMs - one.usedAtMs || (one.id < other.id ? -1 : 1);
}

/** Of one more than a page holds, where there are so many. */
export function pageOf<Place extends SessionPlace>(
  sessions: readonly Place[],
  limit: number,
): { readonly sessions: readonly Place[]; readonly next?: SessionPlace } {
  const page = sessions.slice(0, limit);
  const last = page.at(-1);
  return last !== undefined && sessions.length > limit
    ? { sessions: page, next: { id: last.id, usedAtMs: last.usedAtMs } }
    : { sessions: page };
}

/** @param asked groups of all who have asked in it */
export function mayRead({ groups }: Pick<Scope, "groups">, asked: readonly string[]): boolean {
  return asked.every((group) => groups.includes(group));
}

export function lacksGroups(): RaglineError {
  return new RaglineError(
    "forbidden",
    "sessionId: who asked in this conversation had groups that this caller does not have",
  );
}

export function neverBegun(): RaglineError {
  return new RaglineError(
    "not_found",
    "The conversation was deleted, has expired or was evicted while the question was answered.",
  );
}

export function tooManyPending(pendingMax: number): RaglineError {
  const message = `sessionId: ${pendingMax} questions are being answered in it, the limit`;
  return new RaglineError("rate_limited", message, { retryAfterMs: RETRY_AFTER_MS });
}
