import type { Metadata, Passage } from "../../types.ts";
import type { ReadValue } from "../postgres/database.ts";
import { ORDINAL_BITS } from "./postgres-writes.ts";
import { recentPassages } from "./recent-passages.ts";

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
  #recent = recentPassages<number>();

  /** `epoch`: of the tables that the numbers are of; another server, or other tables, use them anew. At once where all are remembered. */
  read(
    readValue: ReadValue,
    epoch: string,
    rows: Iterable<number>,
  ): ReadonlyMap<number, Passage> | Promise<ReadonlyMap<number, Passage>> {
    if (epoch !== this.#epoch) [this.#epoch, this.#recent] = [epoch, recentPassages()];
    const known = this.#recent.known(rows);
    if (known) return known;
    return this.#recent.all(rows, async (missing) => {
      const read = await readValue(PASSAGES, [`{${missing.join(",")}}`]);
      const found = JSON.parse(read ?? "[]") as Columns[];
      return new Map(found.map((columns) => [columns[0], toPassage(columns)]));
    });
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
