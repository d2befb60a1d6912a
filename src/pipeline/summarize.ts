import type { TokenCounter } from "../ports/token-counter.ts";
import { Caller, Race } from "../race.ts";
import type { CallOptions, Entity, Session, Turn } from "../types.ts";
import { cutToTokens, MESSAGE_TOKENS } from "./budget.ts";
import { factsOf, line, outlineOf, READER, statement } from "./extract.ts";
import { instruct } from "./instruct.ts";
import { shortForm } from "./short-form.ts";
import type { Stages } from "./stages.ts";

export interface Summary {
  readonly summary: string;
  readonly entities: readonly Entity[];
}

/** Latest facts win; a session is read with every question, so they are few. */
const ENTITIES_MAX = 240;
/** Of the step's time: what is left commits the rules' summary where the model is late. */
const MODEL_TIME_SHARE = 0.6;
const READERS_MAX = 160;
const FACTS_TOKENS = 400;

const INSTRUCTIONS = `You keep the record of a conversation. You get the record so far and the next turns. Reply in the conversation's own language with exactly two parts:
SUMMARY: a paragraph that carries on the record so far and takes in the new turns: what the reader wants, what was settled, what is open.
FACTS: one line each, "- name: what was said of it": names, numbers, dates, decisions, wishes of the reader, word for word.`;

/** Older turns in a few lines, and the facts they state: by the language model, else, or where it fails, by rules. */
export async function summarize(
  stages: Stages,
  session: Session,
  turns: readonly Turn[],
  tokensMax: number,
  call: CallOptions,
): Promise<Summary> {
  const extracted = factsOf(turns, session.entities);
  const written = await byModel(stages, session, turns, tokensMax, call);
  const entities = [...session.entities, ...extracted, ...(written?.entities ?? [])];
  const summary = written?.summary ?? outline(session.summary, turns, tokensMax, stages.counter);
  return { summary, entities: latest(entities) };
}

async function byModel(
  stages: Stages,
  session: Session,
  turns: readonly Turn[],
  tokensMax: number,
  call: CallOptions,
): Promise<Summary | null> {
  const { instructed: model, settings, counter } = stages;
  if (!model || !settings.summarizeByModel) return null;
  const told = turns.map(({ number, question, answer }) => {
    return `Turn ${number}\nReader: ${shortForm(question, number)}\nAnswer: ${shortForm(answer, number)}`;
  });
  const text = [`Record so far: ${session.summary || "nothing yet"}`, ...told].join("\n\n");
  const maxOutputTokens = tokensMax + FACTS_TOKENS;
  const room = stages.model.contextTokensMax - maxOutputTokens - counter.count(INSTRUCTIONS) - 3 * MESSAGE_TOKENS;
  const request = { instructions: INSTRUCTIONS, text: cutToTokens(text, room, counter), maxOutputTokens };
  const race = new Race("compact", new Caller(call.signal), (settings.limitsMs.compact ?? 5000) * MODEL_TIME_SHARE);
  try {
    const reply = await race.against(instruct(model, request, race));
    return read(reply, turns.at(-1)?.number ?? 0, tokensMax);
  } catch {
    if (call.signal.aborted) throw call.signal.reason;
    return null;
  } finally {
    race.end();
  }
}

/** A heading of the reply, however the model decorates it: `SUMMARY:`, `**Facts**:`, `## FACTS`. */
function heading(name: string): RegExp {
  return new RegExp(String.raw`^[^\p{L}\p{N}\n\r\u2028\u2029]*${name}(?:[*_ \t]*[:：][*_ \t]*|[*_ \t]*$)`, "imu");
}
const SUMMARY = heading("SUMMARY");
const FACTS = heading("FACTS");
const FACT = /^[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]*([^:：\n]{1,100})[:：][ \t]*(\S[^\n]*)$/gm;

/** Null where the reply has no summary, or one that runs away. */
function read(reply: string, turn: number, tokensMax: number): Summary | null {
  const begins = SUMMARY.exec(reply);
  if (!begins) return null;
  const [summary = "", ...facts] = reply.slice(begins.index + begins[0].length).split(FACTS);
  const text = summary.trim();
  if (text === "" || text.length > 8 * tokensMax) return null;
  const lines = facts.join("\n").replaceAll("**", "");
  const entities = [...lines.matchAll(FACT)].map(
    ([, name = "", note = ""]): Entity => ({ name: name.trim(), note: line(note, 240), turn }),
  );
  return { summary: text, entities };
}

/** The newest lines that fit. */
function outline(before: string, turns: readonly Turn[], tokensMax: number, counter: TokenCounter): string {
  const lines = [...before.split("\n").filter(Boolean), ...outlineOf(turns)];
  const kept: string[] = [];
  let tokens = 0;
  for (const one of lines.toReversed()) {
    tokens += counter.count(`${one}\n`);
    if (tokens > tokensMax) break;
    kept.unshift(one);
  }
  return kept.length > 0 ? kept.join("\n") : cutToTokens(lines.at(-1) ?? "", tokensMax, counter);
}

/** Equal where the same was said, or the same table shown, in another turn. */
function said(entity: Entity): string {
  return statement(entity).replace(/: turn \d+/, "");
}

/** The newest, each as it was said first. What readers told stays longest: answers can be found again by search. */
function latest(entities: readonly Entity[]): Entity[] {
  const distinct = [...new Map(entities.toReversed().map((entity) => [said(entity), entity])).values()].toReversed();
  const told = distinct.filter(({ name }) => name === READER).slice(-READERS_MAX);
  const others = distinct.filter(({ name }) => name !== READER).slice(told.length - ENTITIES_MAX);
  return [...told, ...others].sort((a, b) => a.turn - b.turn);
}
