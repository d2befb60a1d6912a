import { createHash } from "node:crypto";
import type { CachedAnswer } from "../ports/answer-cache.ts";
import type { CallOptions, Session } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Question, Rewritten, Stages } from "./stages.ts";

/** Raised when entries hold more or other than before: those of others are not found. */
const ENTRY_FORM = 2;

export interface Looked {
  /** Under which the answer may be stored. */
  readonly key: string;
  readonly hit: CachedAnswer | null;
}

/**
 * Step 3: a stored answer that is safe to return. Its key is everything the answer depends on: the standalone query, the
 * question, the scope, the corpus version, the filter, the number of passages, the configuration, and the conversation that is
 * quoted to the model.
 */
export async function lookUp(
  { cache, index, settings, embedder, reranker, model }: Stages,
  question: Question,
  session: Session,
  asked: Rewritten,
  call: CallOptions,
): Promise<Looked | null> {
  if (!cache) return null;
  const parts = [
    ENTRY_FORM,
    asked.query,
    question.question,
    question.scope.tenant,
    question.scope.collection,
    question.scope.groups.toSorted(),
    await index.version(question.scope, call),
    question.filter,
    question.top,
    settings.fingerprint,
    // A stage apart may be given another model while this process runs.
    [embedder.model, reranker?.model, model.model],
    session.summary,
    session.turns.map((turn) => [turn.question, turn.answer]),
    // Older turns may be quoted too: they are those of this conversation alone.
    session.summarizedTurns > 0 && [question.sessionId, question.history],
  ];
  const key = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  const found = await cache.find(question.scope, key, call);
  return { key, hit: settings.cacheServes ? found : null };
}

/** Stores an answer that is whole. */
export async function keepAnswer(
  { cache }: Stages,
  question: Question,
  { key }: Looked,
  answer: Answer,
  call: CallOptions,
): Promise<void> {
  if (answer.status !== "complete" || answer.finishReason !== "stop") return;
  const { query, text, sources } = answer;
  await cache?.put(question.scope, key, { query, text, sources }, call);
}
