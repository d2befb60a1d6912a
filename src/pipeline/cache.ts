import { createHash } from "node:crypto";
import type { CachedAnswer } from "../ports/answer-cache.ts";
import type { CallOptions, Session } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Question, Rewritten, Stages } from "./stages.ts";

/**
 * Step 3: the key under which an answer may be served again: everything the answer depends on. That is the standalone query,
 * the scope, the corpus version, the filter, the number of passages and the configuration; and, where the question leans on
 * its conversation or the conversation is quoted to the model, the conversation too. Null: not to be cached.
 */
export async function answerKey(
  stages: Stages,
  question: Question,
  session: Session,
  asked: Rewritten,
  call: CallOptions,
): Promise<string | null> {
  if (!stages.cache || !question.useCache) return null;
  const conversation = session.turns.map((turn) => [turn.question, turn.answer]);
  const parts = [
    asked.query,
    question.question,
    question.scope.tenant,
    question.scope.collection,
    [...question.scope.groups].sort(),
    await stages.index.version(question.scope, call),
    question.filter,
    question.top,
    stages.settings.fingerprint,
    session.summary,
    conversation,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

export function findAnswer(
  stages: Stages,
  question: Question,
  key: string | null,
  call: CallOptions,
): Promise<CachedAnswer | null> | null {
  if (!stages.cache || key === null) return null;
  const found = stages.cache.find(question.scope, key, call);
  return stages.settings.cacheServes ? found : found.then(() => null);
}

/** Stores an answer that is whole and was found with nothing degraded. */
export async function keepAnswer(
  stages: Stages,
  question: Question,
  key: string | null,
  answer: Answer,
  call: CallOptions,
): Promise<void> {
  if (!stages.cache || key === null || answer.status !== "complete" || answer.finishReason !== "stop") return;
  await stages.cache.put(question.scope, key, { text: answer.text, sources: answer.sources }, call);
}
