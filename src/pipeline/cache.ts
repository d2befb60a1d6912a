import { createHash } from "node:crypto";
import type { CachedAnswer } from "../ports/answer-cache.ts";
import { type CallOptions, groupsInOrder, type Session } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Ahead } from "./find.ts";
import type { Question, Rewritten, Stages } from "./stages.ts";

/** Raised when entries hold more or other than before: those of others are not found. */
const ENTRY_FORM = 3;

export interface Looked {
  /** Under which the answer may be stored. */
  readonly key: string;
  readonly hit: CachedAnswer | null;
}

/**
 * Step 3: a stored answer that is safe to return. Its key is everything the answer depends on: the standalone query, the
 * question, the scope, the corpus version, the filter, the number of passages and whether they are reranked, the configuration, and all
 * of the conversation that may be quoted to the model. Null, and nothing to store the answer under, where that is not at hand.
 */
export async function lookUp(
  { cache, index, settings, embedder, reranker, model }: Stages,
  question: Question,
  session: Session,
  asked: Rewritten,
  early: Ahead | null,
  call: CallOptions,
): Promise<Looked | null> {
  const conversation = quotable(question, session);
  if (!cache || !conversation) return null;
  const parts = [
    ENTRY_FORM,
    asked.query,
    question.question,
    question.scope.tenant,
    question.scope.collection,
    groupsInOrder(question.scope.groups),
    await (early?.version ?? index.version(question.scope, call)),
    question.filter,
    question.top,
    question.useReranker,
    settings.fingerprint,
    // A stage apart may be given another model while this process runs.
    [embedder.model, reranker?.model, model.model],
    conversation,
  ];
  const key = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  const found = await cache.find(question.scope, key, call);
  return { key, hit: settings.cacheServes ? found : null };
}

/**
 * All that a prompt may hold of the conversation: its turns, as long as each is loaded as it was said. Else originals, facts and a
 * summary may be quoted, which follow from the history that a client brought along; what a stored conversation will quote nobody knows
 * yet (null). No hit is lost by that: such a conversation is no other's, and has grown by the time of its next question.
 */
function quotable({ history }: Question, { turns, summary, summarizedTurns, entities }: Session) {
  const isWhole = summarizedTurns === 0 && summary === "" && entities.length === 0 && !turns.some(({ short }) => short);
  return isWhole ? turns.map(({ number, question, answer }) => [number, question, answer]) : history;
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
