import { HEADING_COUNT_BITS, HEADING_COUNT_MAX } from "../../resident/postings.ts";
import { B, HEADING_WEIGHT, K1 } from "../../resident/text-leg.ts";
import { doubles, integers } from "./postgres-binary.ts";
import { type LegScope, type Part, shapeOf, type Values } from "./postgres-legs.ts";
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

function postingsOf(terms: readonly WeighedTerm[]): number {
  return terms.reduce((sum, { frequency }) => sum + frequency, 0);
}

/**
 * BM25F over the passages that hold an essential term. What the others add is looked up for those that can get among the best by it (the
 * MaxScore rule); those of the others that weigh too much for that are read as the essential ones are, which the statement finds
 * out itself. Sums are rounded, since the order that they are added up in differs from one execution to the next.
 */
export function textLeg({ terms, essential }: TextPlan, { passages, tokens }: Readable, scope: LegScope): Part {
  const { values, readers, depth, filter } = scope;
  const perLength = values.bind((B * passages) / tokens, "float8");
  const found = terms.slice(0, essential);
  const others = terms.slice(essential);
  const essentials = tableOf(found, values);
  const rests = others.length === 0 ? "" : values.bind(doubles(restsOf(others)), "float8[]");
  const table = others.length === 0 ? "" : tableOf(others, values, rests);
  const isBy = [found, others].map((some) => isByDocument(perTerm(some), filter));
  const first = () => `SELECT p.passage, p.readers, sum(${contribution(perLength)}) AS score
    FROM ${essentials} ${postingsOfTerm(readers, isBy[0], filter)} GROUP BY p.passage, p.readers`;
  const scored = () => {
    if (others.length === 0) return `SELECT passage, score::real AS score, NULL::float8 AS floor FROM (${first()}) f`;
    const more = `SELECT p.passage, p.readers, ${contribution(perLength)} AS score
      FROM ${table} ${postingsOfTerm(readers, isBy[1], filter, `t.rest > (SELECT spared FROM last)`)}`;
    return completed({ first: first(), more, table, rests, perLength, depth });
  };
  return {
    shape: `text ${perLength} ${essentials} ${table} ${isBy} ${depth} ${shapeOf(scope)}`,
    sql: () => {
      const ordered = `${scored()} ORDER BY score DESC, passage`;
      if (!filter || "few" in filter) return `${ordered} LIMIT ${scope.limit}`;
      const condition = filter.many(`(s.passage >> ${ORDINAL_BITS})`);
      return `SELECT s.* FROM (${ordered} OFFSET 0) s WHERE ${condition} LIMIT ${scope.limit}`;
    },
  };
}

function tableOf(terms: readonly WeighedTerm[], { bind }: Values, rests?: string): string {
  const words = bind(integers(terms.map(({ term }) => term)), "int[]");
  const weights = bind(doubles(terms.map(({ weight }) => weight)), "float8[]");
  return rests === undefined
    ? `unnest(${words}, ${weights}) t (term, weight)`
    : `unnest(${words}, ${weights}, ${rests}) t (term, weight, rest)`;
}

/** What each term weighs together with all after it. */
function restsOf(terms: readonly WeighedTerm[]): number[] {
  let rest = 0;
  return terms
    .toReversed()
    .map(({ weight }) => (rest += weight))
    .reverse();
}

function perTerm(terms: readonly WeighedTerm[]): number {
  return terms.length === 0 ? 0 : postingsOf(terms) / terms.length;
}

/** Whether few documents match, fewer than a term's postings are. */
function isByDocument(perTerm: number, filter: LegScope["filter"]): boolean {
  return filter !== null && "few" in filter && filter.few * LOOKUP_COST < perTerm;
}

/**
 * Those `p` of a term `t`; of few documents, where they are fewer than the term's, document by document. The condition in `coalesce`
 * is looked up in a table that is made once, whatever the planner expects.
 */
function postingsOfTerm(
  readers: string,
  byDocument: boolean | undefined,
  filter: LegScope["filter"],
  condition = "true",
): string {
  const postings = `postings p ON p.readers = ANY (${readers}) AND p.term = t.term`;
  if (!filter || "many" in filter) return `JOIN ${postings} WHERE ${condition}`;
  if (!byDocument)
    return `JOIN ${postings} WHERE ${condition} AND coalesce(p.passage >> ${ORDINAL_BITS} IN (SELECT row FROM matching), false)`;
  return `CROSS JOIN matching m CROSS JOIN LATERAL (SELECT * FROM postings p WHERE p.readers = ANY (${readers}) AND p.term = t.term
    AND p.passage >= m.row << ${ORDINAL_BITS} AND p.passage < (m.row + 1) << ${ORDINAL_BITS} OFFSET 0) p WHERE ${condition}`;
}

interface Completed {
  readonly first: string;
  /** Postings of the other terms whose `rest` is not spared. */
  readonly more: string;
  /** The other terms. */
  readonly table: string;
  readonly rests: string;
  readonly perLength: string;
  readonly depth: number;
}

/**
 * The first few are completed for a floor, what the last of the best has at least; it tells how much the terms may weigh together that
 * are spared reading, and only looked up. Then all are completed that can get above it.
 */
function completed({ first, more, table, rests, perLength, depth }: Completed): string {
  const restOf = (passage: string, condition: string) => `(SELECT sum(${contribution(perLength)}) FROM ${table}
      JOIN postings p ON p.readers = ${passage}.readers AND p.term = t.term AND p.passage = ${passage}.passage WHERE ${condition})`;
  const isMore = `(SELECT spared FROM last) < (${rests})[1]`;
  return `WITH first AS MATERIALIZED (${first}),
    ahead AS MATERIALIZED (
      SELECT a.passage, a.score + coalesce(${restOf("a", "true")}, 0) AS score FROM (SELECT * FROM first ORDER BY score DESC LIMIT ${2 * depth}) a),
    last AS MATERIALIZED (SELECT floor, ${float(REST_SHARE_MAX)} * floor AS spared FROM (
      SELECT coalesce((SELECT score FROM ahead ORDER BY score DESC OFFSET ${depth - 1} LIMIT 1), 0) * (1 - float8 '1e-9') AS floor) f),
    found AS (
      SELECT f.passage, f.readers, f.score FROM first f WHERE NOT (${isMore})
      UNION ALL SELECT u.passage, u.readers, sum(u.score) FROM (
        SELECT f.passage, f.readers, f.score FROM first f WHERE ${isMore}
        UNION ALL (${more} AND ${isMore})) u GROUP BY u.passage, u.readers)
    SELECT k.passage, (k.score + coalesce(${restOf("k", "t.rest <= k.spared")}, 0))::real AS score, k.floor
    FROM (SELECT f.*, l.floor, l.spared FROM found f, last l WHERE f.score + (
      SELECT coalesce(max(rest), 0) FROM unnest(${rests}) t (rest) WHERE rest <= (SELECT spared FROM last)) >= l.floor OFFSET 0) k`;
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
