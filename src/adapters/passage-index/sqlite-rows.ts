import type { Document, DocumentEntry, Metadata } from "../../types.ts";

/** Open to the whole tenant, or to one of the caller's groups; both as JSON lists. */
export const READABLE = `(d.groups = '[]' OR EXISTS (SELECT 1 FROM json_each(d.groups) g WHERE g.value IN (SELECT value FROM json_each(?))))`;

export interface DocumentRow {
  readonly id: string;
  readonly title: string;
  readonly url: string | null;
  readonly hash: string;
  readonly metadata: string;
  readonly groups: string;
  readonly source: string | null;
  readonly passages: number;
  readonly indexedAt: string;
}

export interface PassageRow extends DocumentRow {
  readonly row: number;
  readonly ordinal: number;
  readonly headings: string;
  readonly text: string;
  readonly tokens: number;
  readonly page: number | null;
  readonly pageEnd: number | null;
}

export function documentValues(document: Document, passages: number): (string | number | null)[] {
  const { id, title, url, hash, metadata, groups, source, indexedAt = new Date().toISOString() } = document;
  return [
    id,
    title,
    url ?? null,
    hash,
    JSON.stringify(metadata),
    JSON.stringify(groups),
    source ?? null,
    passages,
    indexedAt,
  ];
}

export function entry(row: DocumentRow): DocumentEntry {
  const { id, title, hash, passages, indexedAt } = row;
  const metadata = JSON.parse(row.metadata) as Metadata;
  const groups = JSON.parse(row.groups) as string[];
  const optional = { ...(row.url !== null && { url: row.url }), ...(row.source !== null && { source: row.source }) };
  return { id, title, ...optional, hash, metadata, groups, passages, indexedAt };
}
