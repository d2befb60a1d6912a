import type { CallOptions, Message, Session, Turn } from "../types.ts";
import type { Question, Stages } from "./stages.ts";

/** Step 1: the stored conversation, or the history that the client brought along. */
export function loadSession(stages: Stages, question: Question, call: CallOptions): Promise<Session> | Session {
  if (question.history) return fromHistory(stages, question.sessionId, question.history);
  return stages.sessions.load(question.scope, question.sessionId, 2 * stages.settings.rawTurns, call);
}

function fromHistory(stages: Stages, id: string, history: readonly Message[]): Session {
  const turns: Turn[] = [];
  let asked: string | null = null;
  const close = (answer: string) => {
    if (asked === null && answer === "") return;
    const question = asked ?? "";
    const tokens = stages.counter.count(question) + stages.counter.count(answer);
    turns.push({ requestId: "", question, query: question, answer, status: "complete", tokens, at: "" });
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
  const totalTokens = turns.reduce((sum, turn) => sum + turn.tokens, 0);
  return { id, version: 0, summary: "", summarizedTurns: 0, turns: kept, turnCount: turns.length, totalTokens };
}
