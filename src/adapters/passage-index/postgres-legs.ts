import { HEADING_COUNT_BITS, HEADING_COUNT_MAX } from "../../resident/postings.ts";
import { B, HEADING_WEIGHT, K1 } from "../../resident/text-leg.ts";
import type { Metadata, Passage, ScoredPassage } from "../../types.ts";
import type { Readable } from "./postgres-readable.ts";
import { indexedDistance, vectorsOf } from "./postgres-schema.ts";
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
    const frequency = frequencies[term] ?? 0;
    if (frequency === 0) continue;
    const weight = count * Math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5));
    weighed.push({ term, weight, frequency });
  }
  return weighed.sort((a, b) => b.weight - a.weight);
}

/** One statement's values, numbered as they are bound. */
export class Values {
  readonly all: unknown[] = [];

  readonly bind = (value: unknown, type: string): string => `$${this.all.push(value)}::${type}`;
}

/** A part of a statement that gives `passage` and `score`, best first, at most `limit`. */
export interface LegScope {
  readonly values: Values;
  /** Names of values. */
  readonly readers: string;
  readonly limit: string;
  /**
   * Null: everything is searched. `few`: a statement's part gives the documents that match, as `matching (row)`. `many`: whether
   * one does is found out one by one, by the condition that is made of a document's row.
   */
  readonly filter: { readonly few: true } | { readonly many: (document: string) => string } | null;
}

/** Of a term `t` in a passage `p`: see `resident/text-leg.ts` for the formula. `perLength`: b / average length. */
function contribution(perLength: string): string {
  const headings = `${HEADING_WEIGHT} * (p.count & ${HEADING_COUNT_MAX})`;
  const text = `(p.count >> ${HEADING_COUNT_BITS}) / (${1 - B} + ${perLength} * p.length)`;
  return `t.weight * (1 - ${K1} / (${K1} + ${headings} + ${text}))`;
}

/**
 * BM25F over all passages that hold one of the terms. Sums are rounded, since the order that they are added up in differs from one
 * execution to the next.
 */
export function textLeg(terms: readonly WeighedTerm[], { passages, tokens }: Readable, scope: LegScope): string {
  const { values, readers, limit, filter } = scope;
  const words = values.bind(numbers(terms.map(({ term }) => term)), "int[]");
  const weights = values.bind(numbers(terms.map(({ weight }) => weight)), "float8[]");
  const perLength = values.bind((B * passages) / tokens, "float8");
  const few = filter && "few" in filter ? `JOIN matching m ON m.row = p.passage >> ${ORDINAL_BITS}` : "";
  const scored = `SELECT p.passage, sum(${contribution(perLength)})::real AS score
    FROM unnest(${words}, ${weights}) t (term, weight) JOIN postings p ON p.readers = ANY (${readers}) AND p.term = t.term ${few}
    GROUP BY p.passage ORDER BY score DESC, p.passage`;
  if (!filter || "few" in filter) return `${scored} LIMIT ${limit}`;
  const condition = filter.many(`(s.passage >> ${ORDINAL_BITS})`);
  return `SELECT s.passage, s.score FROM (${scored} OFFSET 0) s WHERE ${condition} LIMIT ${limit}`;
}

/** Cosine with every vector: what is sorted by is no index's order. */
export function exactVectorLeg(vector: string, { dimensions }: Readable, scope: LegScope): string {
  const few = scope.filter && "few" in scope.filter ? "JOIN matching m ON m.row = v.document" : "";
  return `SELECT v.passage, -(v.vector <#> ${vector}) AS score FROM ${vectorsOf(dimensions)} v ${few}
    WHERE ${ofTenant(scope)} ORDER BY score DESC, v.passage LIMIT ${scope.limit}`;
}

/** Cosine with the nearest by the graph. It may find fewer than there are. */
export function nearVectorLeg(vector: string, { dimensions }: Readable, scope: LegScope): string {
  const { filter, limit } = scope;
  const condition = filter && "many" in filter ? `AND ${filter.many("v.document")}` : "";
  const distance = indexedDistance("v.vector", vector, dimensions);
  return `SELECT n.passage, n.score FROM (
    SELECT v.passage, -(v.vector <#> ${vector}) AS score FROM ${vectorsOf(dimensions)} v
    WHERE ${ofTenant(scope)} ${condition} ORDER BY ${distance} LIMIT ${limit}) n ORDER BY n.score DESC, n.passage`;
}

function ofTenant({ readers }: LegScope): string {
  return `v.tenant = current_setting('ragline.tenant') AND v.readers = ANY (${readers})`;
}

function numbers(values: readonly number[]): string {
  return `{${values.join(",")}}`;
}

/** A passage of the legs' hits, with its score in each. */
export interface HitRow {
  readonly row: string;
  readonly byText: number | null;
  readonly byVector: number | null;
  readonly ordinal: number;
  readonly headings: string;
  readonly text: string;
  readonly tokens: number;
  readonly page: number | null;
  readonly pageEnd: number | null;
  readonly id: string;
  readonly title: string;
  readonly url: string | null;
  readonly metadata: string;
}

const NONE = "SELECT NULL::bigint AS passage, NULL::real AS score WHERE false";

/** The passages of both legs; null: there is no such leg. `matching`: see `LegScope`. */
export function hitsOf(text: string | null, vector: string | null, matching: string | null): string {
  return `WITH ${matching === null ? "" : `matching AS MATERIALIZED (${matching}),`}
    by_text AS (${text ?? NONE}), by_vector AS (${vector ?? NONE})
  SELECT p.row, t.score AS "byText", v.score AS "byVector", (p.row & ${(1 << ORDINAL_BITS) - 1})::int AS ordinal, p.headings, p.text,
    p.tokens, p.page, p.page_end AS "pageEnd", d.id, d.title, d.url, d.metadata
  FROM by_text t FULL JOIN by_vector v ON v.passage = t.passage
    JOIN passages p ON p.row = coalesce(t.passage, v.passage) JOIN documents d ON d.row = p.row >> ${ORDINAL_BITS}`;
}

/** The hits that have this score, best first. */
export function leg(rows: readonly HitRow[], of: "byText" | "byVector"): ScoredPassage[] {
  const scored = rows.flatMap((row) => {
    const score = row[of];
    return score === null ? [] : [{ row, score }];
  });
  scored.sort((a, b) => b.score - a.score || Number(a.row.row) - Number(b.row.row));
  return scored.map(({ row, score }) => ({ passage: passageOf(row), score }));
}

function passageOf(row: HitRow): Passage {
  return {
    id: `${row.id}#${row.ordinal}`,
    documentId: row.id,
    title: row.title,
    headings: JSON.parse(row.headings) as string[],
    text: row.text,
    tokens: row.tokens,
    ...(row.page !== null && { page: row.page }),
    ...(row.pageEnd !== null && { pageEnd: row.pageEnd }),
    ...(row.url !== null && { url: row.url }),
    metadata: JSON.parse(row.metadata) as Metadata,
  };
}
