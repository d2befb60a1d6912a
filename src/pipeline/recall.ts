import type { Words } from "../text/words.ts";
import type { CallOptions, Entity, Session, Turn } from "../types.ts";
import type { Past } from "./history.ts";
import { KINDS, referencesIn } from "./short-form.ts";
import type { Question, Stages } from "./stages.ts";

/** Turns loaded at most, best first: what does not fit the prompt's history is left out there. */
const TURNS_MAX = 8;
/** Of the best turn's cosine: weaker ones are not about the question. A share, since every model has a scale of its own. */
const SCORE_SHARE_MIN = 0.6;
/** A shortened turn is expanded where it is this near the top, or where the question asks for what it left out. */
const EXPANDED_RANK_MAX = 2;
/** Of the query's distinct search tokens that a recorded fact must hold. */
const FACT_SHARE_MIN = 0.5;

/**
 * What of the conversation fits the question beyond its latest turns. Older turns come in their original form, best first: those nearest to it by vector, those that state a
 * recorded fact it shares words with, and shortened ones whose table, code or quotation it asks for. Without summarised or shortened
 * turns there is nothing to look for, and nothing is asked.
 */
export async function recall(
  stages: Stages,
  question: Question,
  session: Session,
  { query, vector }: { readonly query: string; readonly vector: Float32Array | null },
  call: CallOptions,
): Promise<Past> {
  const shortened = session.turns.filter((turn) => turn.short);
  const facts = factsFor(session.entities, query, stages.words);
  if (question.history || (session.summarizedTurns === 0 && shortened.length === 0))
    return { session, older: [], facts };
  const whole = new Set(session.turns.filter((turn) => !turn.short).map((turn) => turn.number));
  const short = new Set(shortened.map((turn) => turn.number));
  const asked = shortened
    .filter((turn) => asksFor(question.question, query, turn, stages.words))
    .map((turn) => turn.number);
  const near = vector ? await nearest(stages, question, session, vector, call) : [];
  const stating = facts.map(({ turn }) => turn);
  const ranked = [...new Set([...asked.toReversed(), ...interleaved(near, stating)])];
  const numbers = ranked
    .filter(
      (number, rank) =>
        !whole.has(number) && (!short.has(number) || asked.includes(number) || rank < EXPANDED_RANK_MAX),
    )
    .slice(0, TURNS_MAX);
  if (numbers.length === 0) return { session, older: [], facts };
  const turns = await stages.sessions.turns(question.scope, session.id, numbers, call);
  const older = turns.toSorted((a, b) => numbers.indexOf(a.number) - numbers.indexOf(b.number));
  return { session, older, facts };
}

/** The recorded facts that share words with the query, best first. */
function factsFor(entities: readonly Entity[], query: string, words: Words): Entity[] {
  const wanted = words.ofQuery(query);
  if (wanted.size === 0) return [];
  return entities
    .map((entity) => {
      const held = words.ofQuery(`${entity.name} ${entity.note}`);
      return { entity, share: [...wanted].filter((token) => held.has(token)).length / wanted.size };
    })
    .filter(({ share }) => share >= FACT_SHARE_MIN)
    .sort((a, b) => b.share - a.share || b.entity.turn - a.entity.turn)
    .slice(0, TURNS_MAX)
    .map(({ entity }) => entity);
}

async function nearest(
  { sessions, embedder }: Stages,
  { scope }: Question,
  session: Session,
  vector: Float32Array,
  call: CallOptions,
): Promise<number[]> {
  if (!session.recall || session.recall.model !== embedder.model) return [];
  const query = { model: embedder.model, vector, limit: TURNS_MAX };
  const hits = await sessions.recall(scope, session.id, query, call);
  const floor = (hits[0]?.score ?? 0) * SCORE_SHARE_MIN;
  return hits.filter(({ score }) => score > 0 && score >= floor).map(({ number }) => number);
}

/** By its kind ("the table"), or by a word that stands in the reference's hint. */
function asksFor(question: string, query: string, turn: Turn, words: Words): boolean {
  const references = referencesIn(`${turn.question}\n${turn.answer}`);
  const wanted = words.ofQuery(query);
  return references.some(
    ({ kind, hint }) => KINDS[kind]?.test(question) || words.ofQuery(hint).intersection(wanted).size > 0,
  );
}

function interleaved(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]])
    .flat()
    .filter((one) => one !== undefined);
}
