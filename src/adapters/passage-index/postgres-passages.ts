import type { Metadata, Passage } from "../../types.ts";
import type { Query } from "../postgres/database.ts";
import { ORDINAL_BITS } from "./postgres-writes.ts";
import { RecentPassages } from "./recent-passages.ts";

/** One value of JSON, which is read in half the time that rows and columns take. */
const PASSAGES = `SELECT json_agg(json_build_array(p.row, d.id, p.row & ${(1 << ORDINAL_BITS) - 1}, d.title, p.headings::json, p.text, p.tokens,
    p.page, p.page_end, d.url, d.metadata::json))::text AS passages
  FROM unnest($1::bigint[]) r
    CROSS JOIN LATERAL (SELECT * FROM passages WHERE row = r LIMIT 1) p
    CROSS JOIN LATERAL (SELECT * FROM documents WHERE row = r >> ${ORDINAL_BITS} LIMIT 1) d`;

type Columns = readonly [
  ...always: [
    row: number,
    id: string,
    ordinal: number,
    title: string,
    headings: string[],
    text: string,
    tokens: number,
  ],
  ...optional: [page: number | null, pageEnd: number | null, url: string | null, metadata: Metadata],
];

/**
 * Passages by their numbers, each of which names one text for as long as the tables are there. One is given only for a number that the
 * statement before has found, hence to a scope that may read it.
 */
export class PostgresPassages {
  #epoch = "";
  #recent = new RecentPassages<number>();

  /** `epoch`: of the tables that the numbers are of; another server, or other tables, use them anew. */
  async read(query: Query, epoch: string, rows: Iterable<number>): Promise<ReadonlyMap<number, Passage>> {
    if (epoch !== this.#epoch) [this.#epoch, this.#recent] = [epoch, new RecentPassages()];
    const recent = this.#recent;
    const found = new Map<number, Passage>();
    const missing = new Set<number>();
    for (const row of rows) {
      const passage = recent.get(row);
      if (passage) found.set(row, passage);
      else missing.add(row);
    }
    if (missing.size === 0) return found;
    const [read] = await query<{ passages: string | null }>(PASSAGES, [`{${[...missing].join(",")}}`]);
    for (const columns of JSON.parse(read?.passages ?? "[]") as Columns[]) {
      const [row] = columns;
      const passage = toPassage(columns);
      found.set(row, passage);
      recent.add(row, passage);
    }
    return found;
  }
}

function toPassage(columns: Columns): Passage {
  const [, documentId, ordinal, title, headings, text, tokens, page, pageEnd, url, metadata] = columns;
  const optional = {
    ...(page !== null && { page }),
    ...(pageEnd !== null && { pageEnd }),
    ...(url !== null && { url }),
  };
  return { id: `${documentId}#${ordinal}`, documentId, title, headings, text, tokens, ...optional, metadata };
}
