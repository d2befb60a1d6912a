import type { Metadata, Passage, ScoredPassage } from "../../types.ts";
import type { Readable } from "./postgres-readable.ts";
import { indexedDistance, vectorsOf } from "./postgres-schema.ts";
import { ORDINAL_BITS } from "./postgres-writes.ts";

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
  /** So many of the best are looked at, of which as many as `limit` are expected to match. */
  readonly depth: number;
  /**
   * Null: everything is searched. `few`: how many documents match; a statement's part gives them as `matching (row)`. `many`:
   * whether one matches is found out one by one, by the condition that is made of a document's row.
   */
  readonly filter: { readonly few: number } | { readonly many: (document: string) => string } | null;
}

/**
 * Cosine with every vector that matches: what is sorted by is no index's order. Few documents are gone through one by one, which the
 * planner would not do while it knows nothing of new tables.
 */
export function exactVectorLeg(vector: string, { dimensions }: Readable, scope: LegScope): string {
  const vectors = `${vectorsOf(dimensions)} v`;
  const isFew = scope.filter && "few" in scope.filter;
  const from = isFew
    ? `matching m CROSS JOIN LATERAL (SELECT * FROM ${vectors} WHERE v.document = m.row AND ${searchedBy(scope)} OFFSET 0) v`
    : `${vectors} WHERE ${searchedBy(scope)}`;
  return `SELECT v.passage, -(v.vector <#> ${vector}) AS score FROM ${from} ORDER BY score DESC, v.passage LIMIT ${scope.limit}`;
}

/** Cosine with the nearest by the graph. It may find fewer than there are. */
export function nearVectorLeg(vector: string, { dimensions }: Readable, scope: LegScope): string {
  return `SELECT n.passage, n.score FROM (
    SELECT v.passage, -(v.vector <#> ${vector}) AS score FROM ${vectorsOf(dimensions)} v WHERE ${searchedBy(scope)}
    ORDER BY ${indexedDistance("v.vector", vector, dimensions)} LIMIT ${scope.limit}) n ORDER BY n.score DESC, n.passage`;
}

function searchedBy({ readers, filter }: LegScope): string {
  const condition = filter && "many" in filter ? `AND ${filter.many("v.document")}` : "";
  return `v.tenant = current_setting('ragline.tenant') AND v.readers = ANY (${readers}) ${condition}`;
}

/** A passage of the legs' hits, with its score in each. */
export interface Hit {
  readonly row: number;
  readonly byText: number | null;
  /** See `textLeg`; null where every term was essential. */
  readonly floor: number | null;
  readonly byVector: number | null;
  readonly passage: Passage;
}

const NONE = "SELECT NULL::bigint AS passage, NULL::real AS score, NULL::float8 AS floor WHERE false";

/** As the statement of `hitsOf` gives a hit. */
type HitColumns = readonly [
  ...scores: [row: number, byText: number | null, floor: number | null, byVector: number | null],
  ...passage: [id: string, ordinal: number, title: string, headings: string[], text: string, tokens: number],
  ...optional: [page: number | null, pageEnd: number | null, url: string | null, metadata: Metadata],
];

/**
 * The passages of both legs; null: there is no such leg. `matching`: see `LegScope`. One value of JSON, which is read in half the time
 * that rows and columns take.
 */
export function hitsOf(text: string | null, vector: string | null, matching: string | null): string {
  return `WITH ${matching === null ? "" : `matching AS MATERIALIZED (${matching}),`}
    by_text AS (${text ?? NONE}), by_vector AS (${vector ?? NONE}), hits AS MATERIALIZED (
      SELECT coalesce(t.passage, v.passage) AS passage, t.score AS by_text, t.floor, v.score AS by_vector
      FROM by_text t FULL JOIN by_vector v ON v.passage = t.passage)
  SELECT json_agg(json_build_array(h.passage, h.by_text, h.floor, h.by_vector,
    d.id, h.passage & ${(1 << ORDINAL_BITS) - 1}, d.title, p.headings::json, p.text, p.tokens, p.page, p.page_end, d.url, d.metadata::json))::text AS hits
  FROM hits h
    CROSS JOIN LATERAL (SELECT * FROM passages WHERE row = h.passage LIMIT 1) p
    CROSS JOIN LATERAL (SELECT * FROM documents WHERE row = h.passage >> ${ORDINAL_BITS} LIMIT 1) d`;
}

/** What the statement of `hitsOf` gives; null: nothing. */
export function readHits(json: string | null): Hit[] {
  if (json === null) return [];
  return (JSON.parse(json) as HitColumns[]).map(([row, byText, floor, byVector, ...columns]) => {
    const [documentId, ordinal, title, headings, text, tokens, page, pageEnd, url, metadata] = columns;
    const optional = {
      ...(page !== null && { page }),
      ...(pageEnd !== null && { pageEnd }),
      ...(url !== null && { url }),
    };
    const passage = {
      id: `${documentId}#${ordinal}`,
      documentId,
      title,
      headings,
      text,
      tokens,
      ...optional,
      metadata,
    };
    return { row, byText, floor, byVector, passage };
  });
}

/** The hits that have this score, best first. */
export function leg(hits: readonly Hit[], of: "byText" | "byVector"): ScoredPassage[] {
  const scored = hits.flatMap((hit) => {
    const score = hit[of];
    return score === null ? [] : [{ hit, score }];
  });
  scored.sort((a, b) => b.score - a.score || a.hit.row - b.hit.row);
  return scored.map(({ hit, score }) => ({ passage: hit.passage, score }));
}
