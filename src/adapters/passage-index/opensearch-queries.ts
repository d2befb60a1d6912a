import type { Stem } from "../../text/tokens.ts";
import { readableBy } from "./opensearch-records.ts";
import { termClauses } from "./opensearch-terms.ts";

/** Clauses of one query, at most: Lucene's own limit is 1,024 (`indices.query.bool.max_clause_count`). */
const CLAUSES_MAX = 1000;
/** Tokens of a question that are searched for in any case. */
const TOKENS_MIN = 100;
/** Candidates that the graph is walked for, at least: with few it is walked too short a way, and ties at the end move. */
const CANDIDATES_MIN = 100;
const CANDIDATES_MAX = 10_000;

/** Known fields that an error names, and one more, which tells whether there are others. */
export const FIELDS_NAMED_MAX = 20;

/** What of a collection a caller may see: its state's index and id tell which generations are hidden, at the time of the search. */
export interface Visible {
  readonly states: string;
  readonly key: string;
  /** Null: whatever its readers. */
  readonly groups: readonly string[] | null;
  /** What else is wanted of it. */
  readonly matching?: object;
}

function visible({ states, key, groups, matching }: Visible, ...more: readonly object[]): object {
  return {
    filter: [...(groups ? [readableBy(groups)] : []), ...(matching ? [matching] : []), ...more],
    must_not: { terms: { generation: { index: states, id: key, path: "hidden.generation" } } },
  };
}

export function textSearch(seen: Visible, text: string, limit: number, stem: Stem): object {
  const max = Math.max(TOKENS_MIN, CLAUSES_MAX - leavesOf(seen.matching));
  const should = termClauses(text, stem, max);
  return {
    ...hits(limit),
    query: should.length === 0 ? { match_none: {} } : { bool: { should, minimum_should_match: 1, ...visible(seen) } },
  };
}

export function vectorSearch(seen: Visible, vector: Float32Array, limit: number): object {
  const k = Math.min(CANDIDATES_MAX, Math.max(CANDIDATES_MIN, 2 * limit));
  return {
    ...hits(limit),
    query: { knn: { vector: { vector: scaled(vector), k, filter: { bool: visible(seen) } } } },
  };
}

/**
 * In whole numbers, which are written and read in a tenth of the time: cosine knows no length, and 30 binary places hold what float32
 * has of a unit vector.
 */
function scaled(vector: Float32Array): number[] {
  const numbers = new Array<number>(vector.length);
  for (let i = 0; i < vector.length; i++) numbers[i] = Math.round((vector[i] as number) * 2 ** 30);
  return numbers;
}

/** Whether anything visible has the field. */
export function fieldSearch(seen: Visible, field: string): object {
  return { size: 0, terminate_after: 1, query: { bool: visible(seen, { term: { fields: field } }) } };
}

export function fieldNames(seen: Visible): object {
  const aggs = { names: { terms: { field: "fields", size: FIELDS_NAMED_MAX + 1, order: { _key: "asc" } } } };
  return { size: 0, query: { bool: visible(seen) }, aggs };
}

/** Every reader of what is visible, a page of them after `after`. */
export function readersSearch(seen: Visible, size: number, after?: object): object {
  const composite = { size, sources: [{ reader: { terms: { field: "readers" } } }], ...(after && { after }) };
  return { size: 0, query: { bool: visible(seen, { term: { kind: "document" } }) }, aggs: { readers: { composite } } };
}

/** Documents, by id. */
export function documentSearch(seen: Visible, size: number, ...conditions: readonly object[]): object {
  return {
    size,
    track_total_hits: false,
    _source: ["generation", "document", "key", "passages", "tokens", "entry"],
    sort: [{ document: "asc" }],
    query: { bool: visible(seen, { term: { kind: "document" } }, ...conditions) },
  };
}

export function documentCounts(seen: Visible): object {
  return {
    size: 0,
    track_total_hits: true,
    query: { bool: visible(seen, { term: { kind: "document" } }) },
    aggs: { passages: { sum: { field: "passages" } } },
  };
}

/** Ids and scores, best first; equal ones in the order of their documents. */
function hits(size: number): object {
  return {
    size,
    track_total_hits: false,
    _source: false,
    sort: [{ _score: "desc" }, { document: "asc" }, { ordinal: "asc" }],
  };
}

function leavesOf(query: unknown): number {
  if (typeof query !== "object" || query === null) return 0;
  if ("terms" in query || "range" in query || "match_none" in query || "match_all" in query) return 1;
  return Object.values(query).reduce((sum: number, part) => sum + leavesOf(part), 0);
}
