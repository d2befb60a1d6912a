import { RaglineError } from "../errors.ts";
import type { Begun } from "../ports/session-store.ts";
import type { CallOptions, TurnSource } from "../types.ts";
import type { Answer } from "./answer.ts";
import { citedIn } from "./citations.ts";
import type { Question, Stages } from "./stages.ts";

/** Step 9: the turn as the reader saw it, partial answers included. History that the client keeps is not stored. */
export async function save(stages: Stages, question: Question, answer: Answer, call: CallOptions): Promise<void> {
  if (question.history) return;
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

/** For nobody who waits. What becomes of a turn that could not be stored, the store itself tells the log. */
export async function saveLater(stages: Stages, question: Question, answer: Answer, call: CallOptions): Promise<void> {
  try {
    await save(stages, question, answer, call);
  } catch (thrown) {
    if (!(thrown instanceof RaglineError)) throw thrown;
  }
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
