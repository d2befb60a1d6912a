import { RaglineError, toRaglineError } from "../errors.ts";
import type { Begun } from "../ports/session-store.ts";
import type { CallOptions, TurnSource } from "../types.ts";
import type { Answer } from "./answer.ts";
import { citedIn } from "./citations.ts";
import type { Question, Stages } from "./stages.ts";

/** While a question is answered its conversation is written to less often; a version that is so much later began after a deletion. */
const WRITES_MAX = 1000;

/** Step 9: the turn as the reader saw it, partial answers included. History that the client keeps is not stored. */
export async function save(stages: Stages, question: Question, answer: Answer, call: CallOptions): Promise<void> {
  if (question.history) return;
  if (question.mayBeRepeated) await expectSameConversation(stages, question, answer, call);
  answer.tokens = stages.counter.count(question.question) + stages.counter.count(answer.text);
  const turn = {
    requestId: question.turnKey,
    question: question.question,
    query: answer.query,
    answer: answer.text,
    status: answer.status,
    ...(answer.status === "complete" && { finishReason: answer.finishReason }),
    tokens: answer.tokens,
    at: new Date().toISOString(),
    ...citedBy(answer),
  };
  await stages.sessions.finish(question.scope, question.sessionId, turn, call);
}

/** For nobody who waits. What becomes of a turn that could not be stored, the store itself tells the log; of a deleted conversation nothing is. */
export async function saveLater(stages: Stages, question: Question, answer: Answer, call: CallOptions): Promise<void> {
  try {
    await save(stages, question, answer, call);
  } catch (thrown) {
    if (!(thrown instanceof RaglineError)) throw thrown;
  }
}

/**
 * Another call of the same turn may have begun its conversation anew after a deletion; an answer that may quote what was deleted does
 * not get into that.
 */
async function expectSameConversation(
  { sessions }: Stages,
  { scope, sessionId }: Question,
  { foundVersion }: Answer,
  call: CallOptions,
): Promise<void> {
  if (foundVersion === 0) return;
  // Of a store that cannot be asked, `finish` says so, and the turn may wait for it.
  const found = await sessions.load(scope, sessionId, 1, call).catch((thrown: unknown) => {
    if (toRaglineError(thrown).retryable) return { version: foundVersion };
    throw thrown;
  });
  if (found.version >= foundVersion && found.version <= foundVersion + WRITES_MAX) return;
  throw new RaglineError("not_found", "The conversation was deleted while the question was answered.");
}

/** Without texts: they may be long, and who reads the turn again may not read the documents any more. */
function citedBy({ text, sources }: Answer): { readonly sources?: readonly TurnSource[] } {
  const cited = citedIn(text);
  const kept = sources.flatMap(({ n, passageId, documentId, title, page, pageEnd, url }) =>
    cited.has(n)
      ? [
          {
            ...{ n, passageId, documentId, title },
            ...(page !== undefined && { page }),
            ...(pageEnd !== undefined && { pageEnd }),
            ...(url !== undefined && { url }),
          },
        ]
      : [],
  );
  return kept.length > 0 ? { sources: kept } : {};
}

/** The task of saving an answer that failed before it began, where its question turns out to be recorded. */
export function saveRecorded(
  stages: Stages,
  question: Question,
  answer: Answer,
  beginning: Promise<Pick<Begun, "recorded">>,
): (call: CallOptions) => Promise<void> {
  const recording = beginning
    .then(({ recorded }) => recorded)
    .then(
      () => true,
      () => false,
    );
  return async (call) => {
    if (await recording) await saveLater(stages, question, answer, call);
  };
}
