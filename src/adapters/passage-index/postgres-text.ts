import { HEADING_COUNT_BITS, HEADING_COUNT_MAX } from "../../resident/postings.ts";
import { B, HEADING_WEIGHT, K1 } from "../../resident/text-leg.ts";
import type { LegScope } from "./postgres-legs.ts";
import type { Readable } from "./postgres-readable.ts";
import { ORDINAL_BITS } from "./postgres-writes.ts";

export interface WeighedTerm {
  readonly term: number;
  readonly weight: number;
  readonly frequency: number;
}

/** As `resident/text-leg.ts`: heaviest first, that is rarest, equal ones in the question's order. */
export function weigh(terms: ReadonlyMap<number, number>, { passages, frequencies }: Readable): WeighedTerm[] {
  const weighed: WeighedTerm[] = [];
  for (const [term, count] of terms) {
    const frequency = frequencies.get(term) ?? 0;
    if (frequency === 0) continue;
    const weight = count * Math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5));
    weighed.push({ term, weight, frequency });
  }
  return weighed.sort((a, b) => b.weight - a.weight);
}

/** Terms, heaviest first, of which the first `essential` find passages; the others add to those that were found. */
export interface TextPlan {
  readonly terms: readonly WeighedTerm[];
  readonly essential: number;
}

/**
 * Of the floor, what the others may weigh together. Up to 1 the result is that of all terms; but looking them up for all that can
 * get above the floor would then take longer than reading one more (measured with 100,000 passages).
 */
const REST_SHARE_MAX = 0.45;
/** Looking a posting up costs about as much as reading so many in a row. */
const LOOKUP_COST = 8;

/** Begins with as many terms as have `postingsMin` postings together; with all, where the others have no more. */
export function firstPlan(terms: readonly WeighedTerm[], postingsMin: number): TextPlan {
  let left = postingsOf(terms);
  let read = 0;
  let essential = 0;
  for (const { frequency } of terms) {
    if (read >= postingsMin || left <= postingsMin) break;
    read += frequency;
    left -= frequency;
    essential++;
  }
  return { terms, essential: left <= postingsMin ? terms.length : essential };
}

/** Whether its result is that of all terms, given what the last of the best has at least. */
export function isWhole({ terms, essential }: TextPlan, floor: number): boolean {
  return essential === terms.length || weightOf(terms.slice(essential)) <= REST_SHARE_MAX * floor;
}

/** The plan whose result is that of all terms, given what the last of the best has at least. */
export function wholePlan(terms: readonly WeighedTerm[], floor: number): TextPlan {
  let essential = 0;
  while (!isWhole({ terms, essential }, floor)) essential++;
  return { terms, essential: Math.max(1, essential) };
}

function weightOf(terms: readonly WeighedTerm[]): number {
  return terms.reduce((sum, { weight }) => sum + weight, 0);
}

function postingsOf(terms: readonly WeighedTerm[]): number {
  return terms.reduce((sum, { frequency }) => sum + frequency, 0);
}

/**
 * BM25F over the passages that hold an essential term. What the others add is looked up for those that can get among the best by it (the
 * MaxScore rule), where the plan `isWhole`, and else for a few, for their floor. Sums are rounded, since the order that they are added up
 * in differs from one execution to the next.
 */
export function textLeg({ terms, essential }: TextPlan, { passages, tokens }: Readable, scope: LegScope): string {
  const { values, readers, filter } = scope;
  const perLength = values.bind((B * passages) / tokens, "float8");
  const table = (some: readonly WeighedTerm[]) => {
    const words = values.bind(numbers(some.map(({ term }) => term)), "int[]");
    return `unnest(${words}, ${values.bind(numbers(some.map(({ weight }) => weight)), "float8[]")}) t (term, weight)`;
  };
  const found = terms.slice(0, essential);
  const others = terms.slice(essential);
  const first = `SELECT p.passage, p.readers, sum(${contribution(perLength)}) AS score
    FROM ${table(found)} ${postingsOfTerm(readers, postingsOf(found) / found.length, filter)} GROUP BY p.passage, p.readers`;
  const restOf = (passage: string) => `(SELECT sum(${contribution(perLength)}) FROM ${table(others)}
      JOIN postings p ON p.readers = ${passage}.readers AND p.term = t.term AND p.passage = ${passage}.passage)`;
  const scored =
    others.length === 0
      ? `SELECT passage, score::real AS score, NULL::float8 AS floor FROM (${first}) f`
      : completed(first, values.bind(weightOf(others), "float8"), scope.depth, restOf);
  const ordered = `${scored} ORDER BY score DESC, passage`;
  if (!filter || "few" in filter) return `${ordered} LIMIT ${scope.limit}`;
  const condition = filter.many(`(s.passage >> ${ORDINAL_BITS})`);
  return `SELECT s.* FROM (${ordered} OFFSET 0) s WHERE ${condition} LIMIT ${scope.limit}`;
}

/**
 * Those `p` of a term `t`; of few documents, where they are fewer than the term's, document by document. The condition in `coalesce`
 * is looked up in a table that is made once, whatever the planner expects.
 */
function postingsOfTerm(readers: string, perTerm: number, filter: LegScope["filter"]): string {
  const postings = `postings p ON p.readers = ANY (${readers}) AND p.term = t.term`;
  if (!filter || "many" in filter) return `JOIN ${postings}`;
  if (filter.few * LOOKUP_COST >= perTerm)
    return `JOIN ${postings} WHERE coalesce(p.passage >> ${ORDINAL_BITS} IN (SELECT row FROM matching), false)`;
  return `CROSS JOIN matching m CROSS JOIN LATERAL (SELECT * FROM postings p WHERE p.readers = ANY (${readers}) AND p.term = t.term
    AND p.passage >= m.row << ${ORDINAL_BITS} AND p.passage < (m.row + 1) << ${ORDINAL_BITS} OFFSET 0) p`;
}

/**
 * `rest`: what the terms that are not in `first` weigh. The first few are completed for a floor, what the last of the best has at least;
 * then all that can get above it.
 */
function completed(first: string, rest: string, depth: number, restOf: (passage: string) => string): string {
  return `WITH first AS MATERIALIZED (${first}),
    ahead AS MATERIALIZED (
      SELECT a.passage, a.score + coalesce(${restOf("a")}, 0) AS score FROM (SELECT * FROM first ORDER BY score DESC LIMIT ${2 * depth}) a),
    last AS MATERIALIZED (
      SELECT coalesce((SELECT score FROM ahead ORDER BY score DESC OFFSET ${depth - 1} LIMIT 1), 0) * (1 - float8 '1e-9') AS floor)
    SELECT k.passage, (k.score + coalesce(${restOf("k")}, 0))::real AS score, k.floor
    FROM (SELECT f.*, l.floor FROM first f, last l WHERE f.score + ${rest} >= l.floor AND (
      ${rest} <= ${float(REST_SHARE_MAX)} * l.floor OR f.passage IN (SELECT passage FROM ahead)) OFFSET 0) k`;
}

/** Of a term `t` in a passage `p`: see `resident/text-leg.ts` for the formula. `perLength`: b / average length. */
function contribution(perLength: string): string {
  const headings = `${float(HEADING_WEIGHT)} * (p.count & ${HEADING_COUNT_MAX})`;
  const text = `(p.count >> ${HEADING_COUNT_BITS}) / (${float(1 - B)} + ${perLength} * p.length)`;
  return `t.weight * (${float(1)} - ${float(K1)} / (${float(K1)} + ${headings} + ${text}))`;
}

/** A plain number would be one of arbitrary precision, whose arithmetic takes several times as long. */
function float(value: number): string {
  return `float8 '${value}'`;
}

function numbers(values: readonly number[]): string {
  return `{${values.join(",")}}`;
}
