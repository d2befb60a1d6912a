import { RaglineError } from "../errors.ts";
import type { Run } from "../run.ts";
import type { AnswerEvent, CallOptions, Session, Turn } from "../types.ts";
import { answerEnd, answerStart, unfinished } from "./answer.ts";
import type { Question, Stages } from "./stages.ts";

/** A conversation without an earlier call of the question, as far as it is loaded; `complete` is that call's turn if it is. */
export interface Unrepeated {
  readonly session: Session;
  readonly complete: Turn | null;
}

/**
 * An earlier call with the question's turn key is found among the turns that are loaded and the pending questions alone: no store tells
 * more in the round trip that begins a question. Of any other turn the store keeps what is complete.
 * @throws RaglineError `conflict`: that call asked another question
 */
export async function unrepeated(
  { sessions }: Stages,
  { turnKey, question, scope }: Question,
  session: Session,
  call: CallOptions,
): Promise<Unrepeated> {
  const isOther = ({ requestId }: { readonly requestId: string }) => requestId !== turnKey;
  const shown = session.turns.find((one) => !isOther(one));
  const [turn] = shown?.short ? await sessions.turns(scope, session.id, [shown.number], call) : [shown];
  const earlier = turn ?? session.pending.find((one) => !isOther(one));
  if (!earlier) return { session, complete: null };
  if (earlier.question !== question) {
    const message =
      "idempotencyKey (header idempotency-key): was used for another question of this conversation; each needs a key of its own";
    throw new RaglineError("conflict", message, { retryable: false });
  }
  const rest = { turns: session.turns.filter(isOther), pending: session.pending.filter(isOther) };
  return { session: { ...session, ...rest }, complete: turn?.status === "complete" ? turn : null };
}

/** The answer of the question's turn as it is stored; nothing is written. */
export function* sendAgain(
  stages: Stages,
  question: Question,
  { query, answer: text, sources = [], finishReason = "stop" }: Turn,
  run: Run,
): Generator<AnswerEvent, void, undefined> {
  try {
    yield answerStart(question);
    yield { type: "source-list", query, sources };
    run.noteText();
    yield { type: "text-delta", text };
  } finally {
    run.leave();
  }
  yield run.end(answerEnd({ ...unfinished(question), query, text, finishReason, cached: true }, stages, run));
}
