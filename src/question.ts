import { randomUUID } from "node:crypto";
import type { z } from "zod";
import type { CallerOptions } from "./api.ts";
import type { Question } from "./pipeline/stages.ts";
import type { Defined, RequestSchemas } from "./requests.ts";
import { keyedSession, keyedTurn, turnKey } from "./turn-key.ts";
import type { Filter, Scope } from "./types.ts";

/** What a caller's request asks. An idempotency key has no effect where the client keeps the conversation. */
export function questionOf(
  asked: Defined<z.output<RequestSchemas["ask"]>>,
  scope: Scope,
  { requestId = randomUUID(), idempotencyKey }: CallerOptions,
): Question {
  const { question, sessionId: named, history, filter, top, cache, rewrite, rerank } = asked;
  const key = history ? undefined : idempotencyKey;
  const sessionId = named ?? (key === undefined ? randomUUID() : keyedSession(scope, key));
  return {
    requestId,
    turnKey: key === undefined ? turnKey(requestId) : keyedTurn(scope, sessionId, key),
    mayBeRepeated: key !== undefined,
    scope,
    sessionId,
    isFirst: named === undefined && history === undefined,
    question,
    history: history ?? null,
    filter: (filter as Filter | undefined) ?? null,
    top: top ?? null,
    useCache: cache ?? true,
    useRewrite: rewrite ?? true,
    useReranker: rerank ?? true,
  };
}
