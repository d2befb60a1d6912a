import type { DocumentEntry, Metadata } from "../../types.ts";

/** $1 tenant, $2 collection, $3 groups. */
const DOCUMENTS = `SELECT d.id, d.title, d.url, d.hash, d.metadata, d.groups, d.source, d.passages, d.indexed_at AS "indexedAt"
  FROM collections c JOIN documents d ON d.collection = c.row
  WHERE c.tenant = $1 AND c.name = $2 AND (d.groups = '{}' OR d.groups && $3::text[])`;
export const FIND = `${DOCUMENTS} AND d.id = $4`;
/** $1 tenant, $2 collection, $3 id. */
export const HAS = `SELECT 1 FROM collections c JOIN documents d ON d.collection = c.row
  WHERE c.tenant = $1 AND c.name = $2 AND d.id = $3`;
/** $1 tenant, $2 collection. */
export const GROUPS =
  "SELECT DISTINCT unnest(groups) AS name FROM readers WHERE tenant = $1 AND collection = $2 AND documents > 0";
/** $4 after, $5 at most. */
export const LIST = `${DOCUMENTS} AND d.id > $4 ORDER BY d.id LIMIT $5`;
export const COUNTS = `SELECT coalesce(sum(r.documents), 0)::float8 AS documents, coalesce(sum(r.passages), 0)::float8 AS passages,
    max(c.embedder) AS embedder
  FROM collections c JOIN readers r ON r.tenant = c.tenant AND r.collection = c.name
  WHERE c.tenant = $1 AND c.name = $2 AND (r.groups = '{}' OR r.groups && $3::text[])`;

export interface DocumentRow {
  readonly id: string;
  readonly title: string;
  readonly url: string | null;
  readonly hash: string;
  readonly metadata: string;
  readonly groups: string[];
  readonly source: string | null;
  readonly passages: number;
  readonly indexedAt: Date;
}

export interface CountsRow {
  readonly documents: number;
  readonly passages: number;
  readonly embedder: string | null;
}

export function entry(row: DocumentRow): DocumentEntry {
  const { id, title, hash, groups, passages, indexedAt } = row;
  const optional = { ...(row.url !== null && { url: row.url }), ...(row.source !== null && { source: row.source }) };
  const metadata = JSON.parse(row.metadata) as Metadata;
  return { id, title, ...optional, hash, metadata, groups, passages, indexedAt: indexedAt.toISOString() };
}
