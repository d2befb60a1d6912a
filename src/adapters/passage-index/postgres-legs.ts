import type { StatementValue } from "../postgres/messages.ts";
import { EPOCH, type Readable } from "./postgres-readable.ts";
import { indexedDistance, vectorsOf } from "./postgres-schema.ts";

/** One statement's values, numbered as they are bound. */
export class Values {
  readonly all: StatementValue[] = [];

  readonly bind = (value: StatementValue, type: string): string => `$${this.all.push(value)}::${type}`;
}

/** A part of a statement, whose values are bound. Parts of one shape have one text, which is made when it is first needed. */
export interface Part {
  readonly shape: string;
  readonly sql: () => string;
}

/** Texts by shape that are kept: filters make ever new ones. */
const TEXTS_MAX = 100;

/** Statements' texts, each made once, and the same string each time, which others find things by. */
export class StatementTexts {
  readonly #texts = new Map<string, string>();

  of({ shape, sql }: Part): string {
    const known = this.#texts.get(shape);
    if (known !== undefined) return known;
    const text = sql();
    if (this.#texts.size < TEXTS_MAX) this.#texts.set(shape, text);
    return text;
  }
}

/** What a part is made for that gives `passage` and `score`, best first, at most `limit`. */
export interface LegScope {
  readonly values: Values;
  /** Names of values. */
  readonly readers: string;
  readonly limit: string;
  /** So many of the best are looked at, of which as many as `limit` are expected to match. */
  readonly depth: number;
  /**
   * Null: everything is searched. `few`: how many documents match; a statement's part gives them as `matching (row)`. `many`:
   * whether one matches is found out one by one, by the condition that is made of a document's row; `shape` is its own.
   */
  readonly filter:
    | { readonly few: number }
    | { readonly many: (document: string) => string; readonly shape: string }
    | null;
}

/**
 * Cosine with every vector that matches: what is sorted by is no index's order. Few documents are gone through one by one, which the
 * planner would not do while it knows nothing of new tables.
 */
export function exactVectorLeg(vector: string, { dimensions }: Readable, scope: LegScope): Part {
  const vectors = `${vectorsOf(dimensions)} v`;
  const isFew = scope.filter !== null && "few" in scope.filter;
  const from = () =>
    isFew
      ? `matching m CROSS JOIN LATERAL (SELECT * FROM ${vectors} WHERE v.document = m.row AND ${searchedBy(scope)} OFFSET 0) v`
      : `${vectors} WHERE ${searchedBy(scope)}`;
  return {
    shape: `exact ${dimensions} ${vector} ${shapeOf(scope)}`,
    sql: () =>
      `SELECT v.passage, -(v.vector <#> ${vector}) AS score FROM ${from()} ORDER BY score DESC, v.passage LIMIT ${scope.limit}`,
  };
}

/** Cosine with the nearest by the graph. It may find fewer than there are. */
export function nearVectorLeg(vector: string, { dimensions }: Readable, scope: LegScope): Part {
  return {
    shape: `near ${dimensions} ${vector} ${shapeOf(scope)}`,
    sql: () => `SELECT n.passage, n.score FROM (
    SELECT v.passage, -(v.vector <#> ${vector}) AS score FROM ${vectorsOf(dimensions)} v WHERE ${searchedBy(scope)}
    ORDER BY ${indexedDistance("v.vector", vector, dimensions)} LIMIT ${scope.limit}) n ORDER BY n.score DESC, n.passage`,
  };
}

/** Of a leg's scope, what its text depends on. */
export function shapeOf({ readers, limit, filter }: LegScope): string {
  if (!filter) return `${readers} ${limit}`;
  return `${readers} ${limit} ${"few" in filter ? "few" : filter.shape}`;
}

function searchedBy({ readers, filter }: LegScope): string {
  const condition = filter && "many" in filter ? `AND ${filter.many("v.document")}` : "";
  return `v.tenant = current_setting('ragline.tenant') AND v.readers = ANY (${readers}) ${condition}`;
}

/** A passage that the legs have found, by its number, with its score in each. `floor`: see `textLeg`; null where every term was essential. */
export type Hit = readonly [row: number, byText: number | null, floor: number | null, byVector: number | null];

/** Where its scores are in a hit. */
export const BY_TEXT = 1;
export const BY_VECTOR = 3;

const NONE = "SELECT NULL::bigint AS passage, NULL::real AS score, NULL::float8 AS floor WHERE false";

/** What a statement of `hitsOf` gives. */
export interface Hits {
  /** Of the collection that they were found in: see `Readable`. */
  readonly epoch: string;
  readonly version: number | null;
  readonly hits: readonly Hit[];
}

/**
 * `found`: the passages of both legs, as JSON; null: there is no such leg. `matching`: see `LegScope`. `collection`: the condition
 * for the collection's row.
 */
export function hitsOf(text: Part | null, vector: Part | null, matching: Part | null, collection: string): Part {
  return {
    shape: [text, vector, matching].map((part) => part?.shape ?? "").join("|") + collection,
    sql: () => `WITH ${matching === null ? "" : `matching AS MATERIALIZED (${matching.sql()}),`}
    by_text AS (${text?.sql() ?? NONE}), by_vector AS (${vector?.sql() ?? NONE})
  SELECT json_build_array(${EPOCH}, (SELECT version FROM collections WHERE ${collection}),
    json_agg(json_build_array(coalesce(t.passage, v.passage), t.score, t.floor, v.score)))::text AS found
  FROM by_text t FULL JOIN by_vector v ON v.passage = t.passage`,
  };
}

/** Reads what the statement of `hitsOf` gives. */
export function readHits(json: string): Hits {
  const [epoch, version, hits] = JSON.parse(json) as [
    epoch: string,
    version: number | null,
    hits: readonly Hit[] | null,
  ];
  return { epoch, version, hits: hits ?? [] };
}

export interface LegHit {
  readonly row: number;
  readonly score: number;
}

/** The hits that have this score, best first. */
export function leg(hits: readonly Hit[], of: typeof BY_TEXT | typeof BY_VECTOR): LegHit[] {
  const scored: LegHit[] = [];
  for (const hit of hits) {
    const score = hit[of];
    if (score !== null) scored.push({ row: hit[0], score });
  }
  return scored.sort((a, b) => b.score - a.score || a.row - b.row);
}
