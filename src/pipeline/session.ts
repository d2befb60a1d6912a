import type { Begun } from "../ports/session-store.ts";
import type { CallOptions, Message, Session, Turn } from "../types.ts";
import { factsOf, outlineOf } from "./extract.ts";
import type { Question, Stages } from "./stages.ts";

/** Of a history that the client keeps: older turns are looked through for facts, the latest of them outlined. */
const OLDER_TURNS_MAX = 200;
const OUTLINED_MAX = 6;

/**
 * Step 1: records the question and loads the conversation before it, or takes the history that the client brought along, of
 * which nothing is stored.
 */
export async function beginTurn(stages: Stages, question: Question, call: CallOptions): Promise<Begun> {
  if (question.history) {
    return { session: fromHistory(stages, question.sessionId, question.history), recorded: Promise.resolve() };
  }
  const { requestId, scope, sessionId } = question;
  const asked = { requestId, question: question.question, tokens: stages.counter.count(question.question) };
  const begun = await stages.sessions.begin(scope, sessionId, asked, 2 * stages.settings.rawTurns, call);
  // Awaited later: until then nobody else may be told of its failure.
  begun.recorded.catch(() => undefined);
  return begun;
}

function fromHistory(stages: Stages, id: string, history: readonly Message[]): Session {
  const turns: Turn[] = [];
  let asked: string | null = null;
  const close = (answer: string) => {
    if (asked === null && answer === "") return;
    const question = asked ?? "";
    const tokens = stages.counter.count(question) + stages.counter.count(answer);
    const number = turns.length + 1;
    const words = { question, query: question, answer };
    turns.push({ number, short: false, requestId: "", ...words, status: "complete", tokens, at: "" });
    asked = null;
  };
  for (const message of history) {
    if (message.role === "assistant") close(message.content);
    if (message.role !== "user") continue;
    if (asked !== null) close("");
    asked = message.content;
  }
  if (asked !== null) close("");
  const kept = turns.slice(-2 * stages.settings.rawTurns);
  const older = turns.slice(-OLDER_TURNS_MAX, -2 * stages.settings.rawTurns);
  const totalTokens = turns.reduce((sum, turn) => sum + turn.tokens, 0);
  const counts = { version: 0, summarizedTurns: turns.length - kept.length, turnCount: turns.length, totalTokens };
  const summary = outlineOf(older.slice(-OUTLINED_MAX)).join("\n");
  return { id, ...counts, summary, entities: factsOf(older), turns: kept, pending: [], recall: null };
}
