import type { CallOptions, Session, Turn } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Question, Stages } from "./stages.ts";

/** All turns that are not summarised yet: a dozen or so, unless earlier attempts failed. */
const TURNS_MAX = 1_000_000;
const SUMMARY_CHARACTERS_MAX = 1200;
const LINE_CHARACTERS_MAX = 160;
/** Turns that stay raw whatever their size. */
const RAW_TURNS_MIN = 2;
/** History's part of the prompt, see `prompt.ts`. */
const HISTORY_SHARE = 0.3;

/** Whether a conversation has grown enough for `compact` to look at it: `session` as it was before this answer. */
export function hasGrown(stages: Stages, session: Session, answer: Answer): boolean {
  return isLong(stages, session.turns.length + 1, tokensOf(session.turns) + answer.tokens);
}

/**
 * Step 10: shrinks a conversation whose raw turns fill more than `compactStartRatio` of the history budget to
 * `compactTargetRatio`, or that has more than twice `rawTurns` of them to `rawTurns`, by moving the oldest turns into the
 * summary, a line each. Commits only if nobody changed the session meanwhile; otherwise the next turn tries again.
 * @returns whether the session was changed.
 */
export async function compact(stages: Stages, question: Question, call: CallOptions): Promise<boolean> {
  if (question.history) return false;
  const { settings, sessions } = stages;
  const session = await sessions.load(question.scope, question.sessionId, TURNS_MAX, call);
  if (!isLong(stages, session.turns.length, tokensOf(session.turns))) return false;
  const kept = keepRaw(session, historyBudget(stages) * settings.compactTargetRatio, settings.rawTurns);
  if (kept === session.turns.length) return false;
  const moved = session.turns.slice(0, session.turns.length - kept);
  const change = { summary: summarize(session.summary, moved), summarizedTurns: session.turnCount - kept };
  return sessions.replace(question.scope, session.id, session.version, change, call);
}

function isLong(stages: Stages, turns: number, tokens: number): boolean {
  const { compactStartRatio, rawTurns } = stages.settings;
  return tokens > historyBudget(stages) * compactStartRatio || turns > 2 * rawTurns;
}

function historyBudget({ model, settings }: Stages): number {
  const windowTokens = Math.min(model.contextTokensMax, settings.preRotTokens);
  return HISTORY_SHARE * Math.max(0, windowTokens - settings.expectedOutputTokens);
}

function tokensOf(turns: readonly Turn[]): number {
  return turns.reduce((sum, turn) => sum + turn.tokens, 0);
}

/** How many of the latest turns stay raw. */
function keepRaw(session: Session, targetTokens: number, turnsMax: number): number {
  let kept = 0;
  let tokens = 0;
  for (const turn of session.turns.toReversed()) {
    tokens += turn.tokens;
    if (kept >= turnsMax || (kept >= RAW_TURNS_MIN && tokens > targetTokens)) break;
    kept++;
  }
  return kept;
}

function summarize(summary: string, turns: readonly Turn[]): string {
  const lines = turns.map((turn) => `${cut(turn.question)} → ${cut(turn.answer) || "(no answer)"}`);
  const all = [summary, ...lines].filter(Boolean).join("\n");
  return all.length <= SUMMARY_CHARACTERS_MAX
    ? all
    : `…${all.slice(-SUMMARY_CHARACTERS_MAX).replace(/^[\udc00-\udfff]/, "")}`;
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= LINE_CHARACTERS_MAX
    ? line
    : `${line.slice(0, LINE_CHARACTERS_MAX - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
