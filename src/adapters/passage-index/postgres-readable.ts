import type { Scope } from "../../types.ts";
import type { Query } from "../postgres/database.ts";

/** What of a collection a scope may read, and what ranking needs to know of it. */
export interface Readable {
  /** Of the tables: another one on another server, and where they were made or filled anew. */
  readonly epoch: string;
  /** Of the collection: changes with all that is written to it. */
  readonly version: number;
  readonly embedder: string;
  readonly dimensions: number;
  /** Rows of `readers`. */
  readonly readers: readonly number[];
  readonly documents: number;
  readonly passages: number;
  /** Sum of the passages' lengths. */
  readonly tokens: number;
  /** By term, in how many of the passages it stands; at least of those that were asked for. */
  readonly frequencies: ReadonlyMap<number, number>;
  /** Metadata fields of the passages; empty where they were not asked for. */
  readonly fields: readonly string[];
}

/** See `Readable.epoch`. */
export const EPOCH = "pg_postmaster_start_time() || ' ' || pg_relation_filenode('documents')";

/** $1 tenant, $2 collection, $3 groups, $4 terms, $5 whether fields are wanted. */
const READABLE = `WITH r AS MATERIALIZED (
  SELECT row, documents, passages, tokens FROM readers
  WHERE tenant = $1 AND collection = $2 AND passages > 0 AND (groups = '{}' OR groups && $3::text[]))
SELECT json_build_object('epoch', ${EPOCH}, 'version', version, 'embedder', embedder, 'dimensions', dimensions,
  'readers', coalesce((SELECT array_agg(row) FROM r), '{}'),
  'documents', coalesce((SELECT sum(documents) FROM r), 0)::float8,
  'passages', coalesce((SELECT sum(passages) FROM r), 0)::float8,
  'tokens', coalesce((SELECT sum(tokens) FROM r), 0)::float8,
  'frequencies', coalesce((SELECT json_object_agg(term, n) FROM (
    SELECT term, sum(n) AS n FROM frequencies WHERE readers = ANY (ARRAY(SELECT row FROM r)) AND term = ANY ($4::int[]) AND n > 0
    GROUP BY term) f), '{}'),
  'fields', CASE WHEN $5 THEN ARRAY(SELECT DISTINCT field FROM fields WHERE readers = ANY (ARRAY(SELECT row FROM r)) AND n > 0) ELSE '{}' END)::text AS readable
FROM collections WHERE tenant = $1 AND name = $2`;

/** Null: the collection is unknown. */
export async function readable(
  query: Query,
  { tenant, collection, groups }: Scope,
  terms: readonly number[],
  withFields: boolean,
): Promise<Readable | null> {
  const [found] = await query<{ readable: string }>(READABLE, [tenant, collection, groups, terms, withFields]);
  if (!found) return null;
  const read = JSON.parse(found.readable) as Omit<Readable, "frequencies"> & {
    readonly frequencies: Readonly<Record<string, number>>;
  };
  return { ...read, frequencies: new Map(Array.from(terms, (term) => [term, read.frequencies[term] ?? 0])) };
}
