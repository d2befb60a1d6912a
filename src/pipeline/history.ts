import type { Begun } from "../ports/session-store.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { sum } from "../statistics.ts";
import type { Entity, HistoryRung, LeftOut, Message, Session, Turn } from "../types.ts";
import { cutToTokens, MESSAGE_TOKENS, messageTokens, withoutRoom } from "./budget.ts";
import { statement } from "./extract.ts";
import { shortForm } from "./short-form.ts";

export interface ConversationSize {
  /** Those that its summary does not stand for. */
  readonly turns: number;
  /** Of those of them that are loaded, in a prompt. */
  readonly tokens: number;
}

export interface Conversation extends Omit<Begun, "session"> {
  session: Session;
  readonly size: ConversationSize;
  /** Whether `recorded` has resolved. */
  readonly isRecorded: () => boolean;
  /** Of a history that the client keeps: the turns before those of `session`. A stored conversation's are in the store. */
  older: readonly Turn[];
  /** The question's own turn, where an earlier call has completed it. */
  readonly complete: Turn | null;
}

export interface Past {
  readonly session: Session;
  /** Older turns that fit the question, in their original form, best first. */
  readonly older: readonly Turn[];
  /** Recorded facts that fit the question, best first. */
  readonly facts: readonly Entity[];
  /** What of an older turn is about the question, for where there is no room for all of it. */
  readonly excerpt?: (turn: Turn) => string;
}

export interface History {
  readonly messages: readonly Message[];
  readonly tokens: number;
  readonly rungs: readonly HistoryRung[];
  readonly leftOut: readonly LeftOut[];
}

/** What summary, facts and recalled turns may claim of history; the latest turns have the rest. */
const OLDER_SHARE = 0.5;
/** A piece that would be cut shorter says nothing. */
const PIECE_TOKENS_MIN = 16;
/** Stands for the answer of a question that got none: chat formats want one after the other. */
const NO_ANSWER = "(This question was not answered.)";
const HEADING = { summary: "Earlier in this conversation:", facts: "Said before:", turns: "Earlier turns:" } as const;

export function sizeOf({ turnCount, summarizedTurns, turns }: Session): ConversationSize {
  const tokens = turns.reduce((sum, turn) => sum + turn.tokens + 2 * MESSAGE_TOKENS, 0);
  return { turns: turnCount - summarizedTurns, tokens };
}

/** Once the prompt is made nobody reads what was said before. */
export function letGo(conversation: Conversation): void {
  conversation.session = { ...conversation.session, summary: "", entities: [], turns: [], pending: [] };
  conversation.older = [];
}

/** What history would take whole. */
export function historyTokens({ session, older, facts }: Past, counter: TokenCounter): number {
  return sizeOf(session).tokens + olderTokens(session, facts, older, counter);
}

/**
 * The conversation within `budget` tokens: the latest turns, newest first, as they were said; what does not fit shortened; the
 * latest turn cut where not even that fits; then the summary, facts and older turns that fit the question. No model is asked.
 */
export function fitHistory({ session, older, facts, excerpt }: Past, budget: number, counter: TokenCounter): History {
  const originals = new Map(older.map((turn) => [turn.number, turn]));
  const recalled = older.filter(({ number }) => !session.turns.some((turn) => turn.number === number));
  const claim = Math.min(olderTokens(session, facts, recalled, counter), Math.floor(budget * OLDER_SHARE));
  const latest = fitTurns(session.turns, originals, budget - claim, counter);
  const before = fitOlder(
    { session, facts, older: recalled, ...(excerpt && { excerpt }) },
    budget - latest.tokens,
    counter,
  );
  return {
    messages: [...before.messages, ...latest.messages],
    tokens: before.tokens + latest.tokens,
    rungs: [...latest.rungs, ...before.rungs],
    leftOut: [...latest.leftOut, ...before.leftOut],
  };
}

function olderTokens(
  session: Session,
  facts: readonly Entity[],
  older: readonly Turn[],
  counter: TokenCounter,
): number {
  const summary = session.summary ? counter.count(session.summary) : 0;
  const turns = older.reduce((sum, turn) => sum + turn.tokens + 2 * MESSAGE_TOKENS, 0);
  const said = facts.reduce((sum, fact) => sum + counter.count(`- ${statement(fact)}\n`), 0);
  const tokens = summary + turns + said;
  return tokens === 0 ? 0 : tokens + counter.count(Object.values(HEADING).join("\n\n")) + MESSAGE_TOKENS;
}

interface Shown {
  readonly question: string;
  readonly answer: string;
  readonly tokens: number;
  readonly rung: "raw" | "compaction";
}

function fitTurns(
  turns: readonly Turn[],
  originals: ReadonlyMap<number, Turn>,
  budget: number,
  counter: TokenCounter,
): History {
  const shown: Shown[] = [];
  const leftOut: LeftOut[] = [];
  let tokens = 0;
  // Before the latest, a question without an answer says nothing that anybody goes on with.
  const answered = turns.filter(({ answer }, i) => answer !== "" || i === turns.length - 1).toReversed();
  for (const [age, turn] of answered.entries()) {
    const fitting = fitTurn(turn, originals.get(turn.number), budget - tokens, age === 0, counter);
    if (!fitting) {
      const rest = answered.slice(age);
      const size = rest.reduce((sum, one) => sum + one.tokens + 2 * MESSAGE_TOKENS, 0);
      leftOut.push(withoutRoom("history", `${rest.length} older turns`, size, budget - tokens, budget));
      break;
    }
    const lost = turn.tokens + 2 * MESSAGE_TOKENS - fitting.tokens;
    if (fitting.rung === "compaction" && !turn.short && lost > 0) {
      leftOut.push(withoutRoom("history", `bulk of turn ${turn.number}`, lost, budget - tokens, budget));
    }
    tokens += fitting.tokens;
    shown.unshift(fitting);
  }
  const messages = shown.flatMap(({ question, answer }): Message[] => [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ]);
  const rungs = (["raw", "compaction"] as const).map((rung) =>
    rungOf(
      rung,
      shown.filter((one) => one.rung === rung),
    ),
  );
  return { messages: messages.filter(({ content }) => content !== ""), tokens, rungs: rungs.filter(acted), leftOut };
}

function rungOf(rung: HistoryRung["rung"], shown: readonly { readonly tokens: number }[]): HistoryRung {
  return { rung, turns: shown.length, tokens: shown.reduce((sum, { tokens }) => sum + tokens, 0) };
}

function acted({ turns }: HistoryRung): boolean {
  return turns > 0;
}

/** A turn in the fullest form that fits: expanded, as it is, shortened; the latest one cut. */
function fitTurn(
  turn: Turn,
  original: Turn | undefined,
  room: number,
  isLatest: boolean,
  counter: TokenCounter,
): Shown | null {
  const sized = (form: Pick<Turn, "question" | "answer">, rung: Shown["rung"]): Shown | null => {
    const { question } = form;
    const answer = form.answer || NO_ANSWER;
    const tokens = messageTokens(question, counter) + messageTokens(answer, counter);
    return tokens <= room ? { question, answer, tokens, rung } : null;
  };
  // Far too long by what is stored: not even counted.
  const isFar = turn.tokens > 2 * room;
  const whole = (original && sized(original, "raw")) ?? (isFar ? null : sized(turn, turn.short ? "compaction" : "raw"));
  if (whole) return whole;
  const short = { question: shortForm(turn.question, turn.number), answer: shortForm(turn.answer, turn.number) };
  const fitting = sized(short, "compaction");
  if (fitting || !isLatest) return fitting;
  const each = Math.floor((room - 2 * MESSAGE_TOKENS) / 2);
  if (each < PIECE_TOKENS_MIN) return null;
  const question = cutToTokens(short.question, each, counter);
  const answer = cutToTokens(short.answer, 2 * each - counter.count(question), counter);
  return sized({ question, answer }, "compaction");
}

function fitOlder({ session, facts, older, excerpt }: Past, budget: number, counter: TokenCounter): History {
  const leftOut: LeftOut[] = [];
  const parts: string[] = [];
  const rungs: HistoryRung[] = [];
  let room = budget - MESSAGE_TOKENS;
  const add = (text: string): number => {
    const tokens = counter.count(text);
    if (tokens > room) return 0;
    parts.push(text);
    room -= tokens;
    return tokens;
  };
  if (session.summary) {
    const tokens = add(`${HEADING.summary}\n${session.summary}`);
    const needed = counter.count(session.summary) + MESSAGE_TOKENS;
    if (tokens > 0) rungs.push({ rung: "summary", turns: session.summarizedTurns, tokens });
    else leftOut.push(withoutRoom("history", "summary", needed, room, budget));
  }
  let said = 0;
  const unsaid: string[] = [];
  for (const fact of facts) {
    const line = `\n- ${statement(fact)}`;
    const tokens = add(said === 0 ? `\n\n${HEADING.facts}${line}` : line);
    if (tokens === 0) unsaid.push(line);
    said += tokens;
  }
  if (unsaid.length > 0) {
    const needed = sum(unsaid.map((line) => counter.count(line)));
    leftOut.push(withoutRoom("history", `${unsaid.length} of ${facts.length} facts`, needed, room, budget));
  }
  let loaded = 0;
  let loadedTokens = said;
  for (const [i, turn] of older.entries()) {
    const heading = loaded === 0 ? `\n\n${HEADING.turns}` : "";
    // Whole where that leaves as much for those after it.
    const isWhole = turn.tokens <= (i === older.length - 1 ? room : room / 2);
    let tokens = isWhole ? add(`${heading}\n${written(turn)}`) : 0;
    if (tokens === 0 && excerpt && room >= PIECE_TOKENS_MIN) {
      tokens = add(cutToTokens(`${heading}\nTurn ${turn.number}. ${excerpt(turn)}`, room, counter));
    }
    if (tokens === 0 && loaded === 0 && room >= PIECE_TOKENS_MIN) {
      tokens = add(cutToTokens(`${heading}\n${written(turn)}`, room, counter));
    }
    if (tokens > 0) loaded++;
    else leftOut.push(withoutRoom("history", `recalled turn ${turn.number}`, turn.tokens, room, budget));
    loadedTokens += tokens;
  }
  if (loadedTokens > 0) rungs.push({ rung: "recall", turns: loaded, tokens: loadedTokens });
  const content = parts.join("").trimStart();
  if (content === "") return { messages: [], tokens: 0, rungs: [], leftOut };
  return { messages: [{ role: "system", content }], tokens: messageTokens(content, counter), rungs, leftOut };
}

function written({ number, question, answer }: Turn): string {
  return `Turn ${number}. Reader: ${question}\nAnswer: ${answer}`;
}
