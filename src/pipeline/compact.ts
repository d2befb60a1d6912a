import type { SessionChange } from "../ports/session-store.ts";
import { nonZero } from "../statistics.ts";
import type { CallOptions, Session, ShortTurn, Turn } from "../types.ts";
import type { Answer } from "./answer.ts";
import { budgetOf, MESSAGE_TOKENS } from "./budget.ts";
import { type ConversationSize, sizeOf } from "./history.ts";
import { shortForm } from "./short-form.ts";
import type { Question, Stages } from "./stages.ts";
import { summarize } from "./summarize.ts";

/** Turns that stay as they are whatever their size. */
const RAW_TURNS_MIN = 2;
/** The summary's part of the history budget. */
const SUMMARY_SHARE = 0.1;
/** Commits a run may try: a backlog is worked off in as many pieces, and whoever is overtaken looks again. */
const ATTEMPTS_MAX = 4;
/** Turns in one piece, beside those that may stay. */
const PIECE_TURNS_MAX = 32;
/** Summarized turns that are embedded once more where another model embedded them: the latest. */
const EMBEDDED_AGAIN_MAX = 64;
/** A short form that saves less is not worth a reference. */
const SAVED_SHARE_MIN = 0.2;
/** Characters of a turn that its recall vector stands for. */
const EMBEDDED_CHARACTERS_MAX = 2000;

/** Whether a conversation has grown enough for `compact` to look at it: `size` is what it had before this answer. */
export function hasGrown(stages: Stages, { turns, tokens }: ConversationSize, answer: Answer): boolean {
  return isLong(stages, { turns: turns + 1, tokens: tokens + answer.tokens });
}

/**
 * Step 10: shrinks a conversation that fills more than `compactStartRatio` of the history budget to `compactTargetRatio`, or that
 * has more than twice `rawTurns` turns to `rawTurns`. First the bulk of older turns becomes references; only where that is not
 * enough the oldest turns become vectors, facts and lines of the summary. Commits by compare-and-set; turns that were finished
 * meanwhile stay.
 * @returns whether the session was changed.
 */
export async function compact(stages: Stages, question: Question, call: CallOptions): Promise<boolean> {
  if (question.history) return false;
  const { sessions, settings } = stages;
  let changed = false;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const turnsMax = 2 * settings.rawTurns + PIECE_TURNS_MAX;
    const session = await sessions.load(question.scope, question.sessionId, turnsMax, call);
    if (!isLong(stages, sizeOf(session))) break;
    const change = (await backlog(stages, question, session, call)) ?? (await shrunk(stages, question, session, call));
    if (!change) break;
    if (await sessions.replace(question.scope, session.id, session.version, change, call)) changed = true;
  }
  return changed;
}

function isLong({ settings, ...stages }: Stages, { turns, tokens }: ConversationSize): boolean {
  const budget = budgetOf({ settings, ...stages }).history;
  return tokens > budget * settings.compactStartRatio || turns > 2 * settings.rawTurns;
}

/** The oldest turns, where there are more than are loaded. Null: there are not. */
async function backlog(
  stages: Stages,
  question: Question,
  session: Session,
  call: CallOptions,
): Promise<SessionChange | null> {
  const missing = sizeOf(session).turns - session.turns.length;
  if (missing <= 0) return null;
  const first = session.summarizedTurns + 1;
  const numbers = Array.from({ length: Math.min(missing, PIECE_TURNS_MAX) }, (_, i) => first + i);
  const turns = await stages.sessions.turns(question.scope, session.id, numbers, call);
  return moved(stages, question, session, turns, numbers.length, call);
}

async function shrunk(
  stages: Stages,
  question: Question,
  session: Session,
  call: CallOptions,
): Promise<SessionChange | null> {
  const { rawTurns, compactTargetRatio } = stages.settings;
  const budget = budgetOf(stages).history;
  const target = budget * compactTargetRatio;
  const short = shortened(stages, session, target);
  const sizes = new Map(short.map(({ number, tokens }) => [number, tokens]));
  const sized = session.turns.map((turn) => (sizes.get(turn.number) ?? turn.tokens) + 2 * MESSAGE_TOKENS);
  const isEnough = sized.reduce((sum, tokens) => sum + tokens, 0) <= target && sized.length <= 2 * rawTurns;
  const kept = isEnough ? sized.length : keptRaw(sized, target - budget * SUMMARY_SHARE, rawTurns);
  const older = session.turns.slice(0, session.turns.length - kept);
  const staying = short.filter(({ number }) => !older.some((turn) => turn.number === number));
  if (older.length === 0 && staying.length === 0) return null;
  const summarized = older.length === 0 ? {} : await moved(stages, question, session, older, older.length, call);
  return { ...summarized, ...(staying.length > 0 && { short: staying }) };
}

/** The bulk of the older turns as references, oldest first, until the conversation is at its target; the last ones only when they must. */
function shortened(stages: Stages, session: Session, target: number): ShortTurn[] {
  const { counter, settings } = stages;
  const seen = new Map<string, number>();
  const short: ShortTurn[] = [];
  let { tokens } = sizeOf(session);
  const candidates = session.turns.slice(0, -RAW_TURNS_MIN);
  for (const [i, turn] of candidates.entries()) {
    const isRaw = session.turns.length - i <= settings.rawTurns;
    if (turn.short || (isRaw && tokens <= target)) continue;
    const question = shortForm(turn.question, turn.number, seen);
    const answer = shortForm(turn.answer, turn.number, seen);
    const form = { number: turn.number, question, answer, tokens: counter.count(question) + counter.count(answer) };
    const isSame = question === turn.question && answer === turn.answer;
    if (isSame || form.tokens > turn.tokens * (1 - SAVED_SHARE_MIN)) continue;
    short.push(form);
    tokens -= turn.tokens - form.tokens;
  }
  return short;
}

/** How many of the latest turns stay. */
function keptRaw(sizes: readonly number[], target: number, turnsMax: number): number {
  let kept = 0;
  let tokens = 0;
  for (const size of sizes.toReversed()) {
    tokens += size;
    if (kept >= turnsMax || (kept >= RAW_TURNS_MIN && tokens > target)) break;
    kept++;
  }
  return kept;
}

/** Turns on their way out of the prompt: into summary and facts, and into vectors by which they are found again. */
async function moved(
  stages: Stages,
  question: Question,
  session: Session,
  turns: readonly Turn[],
  count: number,
  call: CallOptions,
): Promise<SessionChange> {
  const tokensMax = Math.max(32, Math.floor(budgetOf(stages).history * SUMMARY_SHARE));
  // One after the other: where vectors cannot be had, nothing is committed, and a summary would be paid for in vain.
  const recall = await vectorsOf(stages, question, session, turns, call);
  const summary = await summarize(stages, session, turns, tokensMax, call);
  return { ...summary, summarizedTurns: session.summarizedTurns + count, ...(recall && { recall }) };
}

/** Of turns that have none. A commit drops vectors of another model than the embedder's, so the latest of those turns get theirs anew. */
async function vectorsOf(
  { embedder, sessions }: Stages,
  { scope }: Question,
  { id, recall, summarizedTurns }: Session,
  turns: readonly Turn[],
  call: CallOptions,
): Promise<SessionChange["recall"] | null> {
  const isOther = recall !== null && recall.model !== embedder.model;
  const firstAgain = isOther ? Math.max(0, summarizedTurns - EMBEDDED_AGAIN_MAX) : summarizedTurns;
  const again = Array.from({ length: summarizedTurns - firstAgain }, (_, i) => firstAgain + i + 1);
  const before = again.length > 0 ? await sessions.turns(scope, id, again, call) : [];
  const upTo = isOther ? 0 : (recall?.upTo ?? 0);
  const fresh = [...before, ...turns].filter(({ number, answer }) => number > upTo && answer !== "");
  if (fresh.length === 0) return null;
  const texts = fresh.map(({ question, answer }) => `${question}\n${answer}`.slice(0, EMBEDDED_CHARACTERS_MAX));
  const vectors = await embedder.embed(texts, "passage", call);
  const known = fresh.flatMap(({ number }, i) => {
    const vector = nonZero(vectors[i]);
    return vector ? [{ number, vector }] : [];
  });
  return known.length === 0 ? null : { model: embedder.model, vectors: known };
}
