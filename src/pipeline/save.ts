import type { CallOptions } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Question, Stages } from "./stages.ts";

/** Step 9: the turn as the reader saw it, partial answers included. History that the client keeps is not stored. */
export async function save(stages: Stages, question: Question, answer: Answer, call: CallOptions): Promise<void> {
  if (question.history) return;
  answer.tokens = stages.counter.count(question.question) + stages.counter.count(answer.text);
  const turn = {
    requestId: question.requestId,
    question: question.question,
    query: answer.query,
    answer: answer.text,
    status: answer.status,
    tokens: answer.tokens,
    at: new Date().toISOString(),
  };
  await stages.sessions.finish(question.scope, question.sessionId, turn, call);
}
