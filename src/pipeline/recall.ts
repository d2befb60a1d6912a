import type { Words } from "../text/words.ts";
import type { CallOptions, Entity, Session, Turn } from "../types.ts";
import { excerptOf } from "./excerpt.ts";
import { statement } from "./extract.ts";
import type { Conversation, Past } from "./history.ts";
import { overlaps } from "./overlap.ts";
import { KINDS, referencesIn } from "./short-form.ts";
import type { Question, Stages } from "./stages.ts";

/** Turns loaded at most, best first: what does not fit the prompt's history is left out there. */
const TURNS_MAX = 8;
/** Of them for tables, code and quotations that the question asks for by their kind, the latest. */
const EXPANDED_MAX = 3;
/** Turns looked at: one word vector for a whole turn tells only roughly what it is about, their words tell more. */
const NEIGHBOURS = 32;
const READ_CHARACTERS_MAX = 2000;
/** Cosine, as a share of the best turn's, plus the share of the query's words: weaker turns are not about the question. */
const SCORE_MIN = 0.8;
/** Of the query's search tokens, by rarity, that a recorded fact must hold. */
const FACT_SHARE_MIN = 0.15;
/** Of the query's search tokens, by rarity, that a turn must hold where words alone find it. */
const WORD_SHARE_MIN = 0.3;
const FACTS_MAX = 8;

export interface Wanted {
  /** The standalone form of the question. */
  readonly query: string;
  readonly vector: Float32Array | null;
}

/**
 * What of the conversation fits the question beyond its latest turns. Older turns come in their original form, best first: those
 * nearest to it by vector and words (by words alone in a history that the client keeps), those that state a recorded fact it shares
 * words with, and shortened ones whose table, code or quotation it asks for. Without summarised or shortened turns there is
 * nothing to look for, and nothing is asked.
 */
export async function recall(
  stages: Stages,
  question: Question,
  { session, older }: Pick<Conversation, "session" | "older">,
  wanted: Wanted,
  call: CallOptions,
): Promise<Past> {
  const { words } = stages;
  const shortened = session.turns.filter((turn) => turn.short);
  const queries = [question.question, wanted.query];
  const entities = latestFirst(session.entities);
  const noted = byShare(entities, statement, queries, words);
  const related = noted.filter(({ share }) => share >= FACT_SHARE_MIN).slice(0, FACTS_MAX);
  // Of a few, words are too little to tell which are meant.
  const facts = (entities.length > FACTS_MAX ? related : noted).map(({ item }) => item);
  if (session.summarizedTurns === 0 && shortened.length === 0) return { session, older: [], facts };
  const whole = new Set(session.turns.filter((turn) => !turn.short).map((turn) => turn.number));
  const asked = shortened
    .filter((turn) => asksFor(question.question, turn, words))
    .map(({ number: turn }) => ({ turn }));
  const ofKind = entities.filter(({ name }) => KINDS[name]?.test(question.question));
  const kept = byShare(ofKind, statement, queries, words).map(({ item }) => item);
  const expanded = [...asked.toReversed(), ...kept].map(({ turn }) => turn).slice(0, EXPANDED_MAX);
  const near = question.history
    ? byShare(older, read, queries, words)
        .filter(({ share }) => share >= WORD_SHARE_MIN)
        .slice(0, TURNS_MAX)
        .map(({ item }) => item)
    : await nearest(stages, question, session, wanted, call);
  const found = interleaved(
    near.map((turn) => turn.number),
    related.map(({ item }) => item.turn),
  );
  const ranked = new Set([...expanded, ...found]);
  const numbers = [...ranked].filter((number) => !whole.has(number)).slice(0, TURNS_MAX);
  const known = new Map([...older, ...near].map((turn) => [turn.number, turn]));
  const missing = numbers.filter((number) => !known.has(number));
  const others = missing.length === 0 ? [] : await stages.sessions.turns(question.scope, session.id, missing, call);
  for (const turn of others) known.set(turn.number, turn);
  const excerpt = (turn: Turn) => excerptOf(turn, queries, words);
  return { session, older: numbers.flatMap((number) => known.get(number) ?? []), facts, excerpt };
}

/** By how much of the queries' words their text holds, by rarity, the most first; equals stay in their order. */
function byShare<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  queries: readonly string[],
  words: Words,
): { readonly item: T; readonly share: number }[] {
  const shares = overlaps(queries, items.map(textOf), words);
  return items.map((item, i) => ({ item, share: shares[i] ?? 0 })).sort((a, b) => b.share - a.share);
}

function read({ question, answer }: Turn): string {
  return `${question}\n${answer.slice(0, READ_CHARACTERS_MAX)}`;
}

function latestFirst(entities: readonly Entity[]): Entity[] {
  return entities.toSorted((a, b) => b.turn - a.turn);
}

/** The turns nearest to the query: its neighbours by vector, ordered by cosine (of the best one's) and shared words together. */
async function nearest(
  { sessions, embedder, words }: Stages,
  { scope, question }: Question,
  session: Session,
  { query, vector }: Wanted,
  call: CallOptions,
): Promise<Turn[]> {
  if (!vector || session.recall?.model !== embedder.model) return [];
  const wanted = { model: embedder.model, vector, limit: NEIGHBOURS };
  const hits = (await sessions.recall(scope, session.id, wanted, call)).filter(({ score }) => score > 0);
  if (hits.length === 0) return [];
  const numbers = hits.map(({ number }) => number);
  const turns = await sessions.turns(scope, session.id, numbers, call);
  const cosines = new Map(hits.map(({ number, score }) => [number, score / (hits[0]?.score ?? 1)]));
  const shares = overlaps([question, query], turns.map(read), words);
  return turns
    .map((turn, i) => ({ turn, score: (cosines.get(turn.number) ?? 0) + (shares[i] ?? 0) }))
    .filter(({ score }) => score >= SCORE_MIN)
    .sort((a, b) => b.score - a.score)
    .map(({ turn }) => turn);
}

/** By its kind ("the table"), or by a word that stands in the reference's hint. */
function asksFor(question: string, turn: Turn, words: Words): boolean {
  const references = referencesIn(`${turn.question}\n${turn.answer}`);
  const wanted = words.ofQuery(question);
  return references.some(
    ({ kind, hint }) => KINDS[kind]?.test(question) || words.ofQuery(hint).intersection(wanted).size > 0,
  );
}

function interleaved(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]])
    .flat()
    .filter((one) => one !== undefined);
}
