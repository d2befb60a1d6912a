import type { Metadata, Passage } from "../../types.ts";

/** A passage with its document, as tables hold them: lists and metadata as JSON. */
export interface StoredColumns {
  readonly id: string;
  readonly ordinal: number;
  readonly title: string;
  readonly headings: string;
  readonly text: string;
  readonly tokens: number;
  readonly page: number | null;
  readonly pageEnd: number | null;
  readonly url: string | null;
  readonly metadata: string;
}

export function storedPassage(row: StoredColumns): Passage {
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
