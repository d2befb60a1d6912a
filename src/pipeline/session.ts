import { createBreather } from "../breather.ts";
import type { CallOptions, Message, Session, Turn } from "../types.ts";
import { factsOf, outlineOf } from "./extract.ts";
import { type Conversation, sizeOf } from "./history.ts";
import { unrepeated } from "./repeated.ts";
import type { Question, Stages } from "./stages.ts";

/** Of a history that the client keeps: older turns are looked through for facts, the latest of them outlined. */
const OLDER_TURNS_MAX = 200;
const OUTLINED_MAX = 6;

/**
 * A history that the client brings may be megabytes, and takes a while to count: message by message, so that others are served
 * meanwhile. The counter remembers it for what follows.
 */
export async function countAhead({ counter }: Stages, history: readonly Message[], signal: AbortSignal): Promise<void> {
  const breathe = createBreather();
  for (const { content } of history) {
    if (signal.aborted) return;
    counter.count(content);
    await breathe();
  }
}

/**
 * Step 1: records the question and loads the conversation before it, or takes the history that the client brought along, of
 * which nothing is stored. Questions that have no answer yet, or were left behind by a process that died, count as turns
 * without an answer: the reader has asked them. An earlier call of the same question does not.
 * @throws RaglineError `conflict`: its idempotency key has another question
 */
export async function beginTurn(stages: Stages, question: Question, call: CallOptions): Promise<Conversation> {
  if (question.history) {
    const conversation = fromHistory(stages, question.sessionId, question.history);
    const size = sizeOf(conversation.session);
    return { ...conversation, size, recorded: Promise.resolve(), isRecorded: () => true, complete: null };
  }
  const { turnKey: requestId, scope, sessionId } = question;
  const asked = { requestId, question: question.question, tokens: stages.counter.count(question.question) };
  const begun = await stages.sessions.begin(scope, sessionId, asked, 2 * stages.settings.rawTurns, toItsEnd(call));
  let isRecorded = false;
  // Awaited later: until then nobody else may be told of its failure.
  begun.recorded.then(
    () => {
      isRecorded = true;
    },
    () => undefined,
  );
  const { session: loaded, complete } = await unrepeated(stages, question, begun.session, call);
  const session = withUnanswered(loaded, stages);
  const { recorded } = begun;
  return { session, size: sizeOf(session), recorded, isRecorded: () => isRecorded, older: [], complete };
}

/** What is being recorded is not taken back by whoever leaves: only so is it known whether there is a question to finish. */
function toItsEnd({ deadline }: CallOptions): CallOptions {
  return {
    deadline,
    get signal() {
      return new AbortController().signal;
    },
  };
}

function withUnanswered(session: Session, { counter }: Stages): Session {
  if (session.pending.length === 0) return session;
  const turns = session.pending.map(({ requestId, question, at }, i): Turn => {
    const words = { question, query: "", answer: "" };
    const number = session.turnCount + 1 + i;
    return { requestId, number, short: false, ...words, status: "interrupted", tokens: counter.count(question), at };
  });
  return { ...session, turns: [...session.turns, ...turns], turnCount: session.turnCount + turns.length };
}

/** Renews the question's lease, however long its answer takes. @returns what ends that */
export function keepLease({ sessions, settings }: Stages, { history, ...question }: Question): () => void {
  if (history) return () => undefined;
  const everyMs = Math.ceil(settings.leaseMs / 3);
  const timer = setInterval(() => {
    const call = { signal: AbortSignal.timeout(everyMs) };
    sessions.renew(question.scope, question.sessionId, question.turnKey, call).catch(() => undefined);
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

function fromHistory(stages: Stages, id: string, history: readonly Message[]): Pick<Conversation, "session" | "older"> {
  const turns: Turn[] = [];
  let asked: string | null = null;
  const close = (answer: string) => {
    if (asked === null && answer === "") return;
    const question = asked ?? "";
    const tokens = stages.counter.count(question) + stages.counter.count(answer);
    const number = turns.length + 1;
    const words = { question, query: "", answer };
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
  const older = turns.slice(0, -2 * stages.settings.rawTurns);
  const kept = turns.slice(older.length);
  const totalTokens = turns.reduce((sum, turn) => sum + turn.tokens, 0);
  const counts = { version: 0, summarizedTurns: older.length, turnCount: turns.length, totalTokens };
  const summary = outlineOf(older.slice(-OUTLINED_MAX)).join("\n");
  const entities = factsOf(older.slice(-OLDER_TURNS_MAX));
  return { session: { id, ...counts, summary, entities, turns: kept, pending: [], recall: null }, older };
}
