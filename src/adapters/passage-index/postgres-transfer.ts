import type { StoredDocument, Transfer } from "../../ports/transfer.ts";
import type { CallOptions, PassageInput, Scope } from "../../types.ts";
import type { PostgresDatabase, Query } from "../postgres/database.ts";
import { type DocumentRow, entry, FIND } from "./postgres-documents.ts";
import { vectorsOf } from "./postgres-schema.ts";
import { beginReading, type Sight } from "./postgres-scope.ts";
import { ORDINAL_BITS } from "./postgres-writes.ts";

const PLACE = `SELECT d.row, d.readers, c.dimensions FROM collections c JOIN documents d ON d.collection = c.row
  WHERE c.tenant = $1 AND c.name = $2 AND d.id = $3`;
/** $1 document, $2 readers. */
const passagesOf = (
  dimensions: number,
) => `SELECT p.headings, p.text, p.tokens, p.page, p.page_end AS "pageEnd", v.vector::text AS vector
  FROM passages p LEFT JOIN ${vectorsOf(dimensions)} v ON v.tenant = current_setting('ragline.tenant') AND v.readers = $2
    AND v.document = $1 AND v.passage = p.row
  WHERE p.row >= $1::bigint << ${ORDINAL_BITS} AND p.row < ($1::bigint + 1) << ${ORDINAL_BITS} ORDER BY p.row`;

interface PassageRow {
  readonly headings: string;
  readonly text: string;
  readonly tokens: number;
  readonly page: number | null;
  readonly pageEnd: number | null;
  readonly vector: string | null;
}

/** `timeoutMs`: of a call. Row-level security shows one collection at a time, so that they cannot be named. */
export function createPostgresTransfer(database: PostgresDatabase, timeoutMs: number): Transfer {
  const reading = <T>(scope: Scope, sight: Sight, call: CallOptions, work: (query: Query) => Promise<T>) =>
    database.transaction(call, (limitMs) => beginReading(scope, sight, limitMs), work, timeoutMs);
  return {
    // Each takes the collection's row, and more only wait for it.
    writesAtOnce: 2,
    async read(scope, documentId, call): Promise<StoredDocument | null> {
      if (documentId.includes("\0")) return null;
      const { tenant, collection, groups } = scope;
      return reading(scope, "scope", call, async (query) => {
        const [document] = await query<DocumentRow>(FIND, [tenant, collection, groups, documentId]);
        if (!document) return null;
        const places = await query<{ row: string; readers: number; dimensions: number }>(PLACE, [
          tenant,
          collection,
          documentId,
        ]);
        const [place] = places;
        if (!place) return null;
        const rows = await query<PassageRow>(passagesOf(place.dimensions), [place.row, place.readers]);
        return { document: entry(document), passages: rows.map(passage) };
      });
    },
  };
}

function passage({ text, headings, tokens, page, pageEnd, vector }: PassageRow): PassageInput {
  return {
    text,
    headings: JSON.parse(headings) as string[],
    tokens,
    vector: vector === null ? null : Float32Array.from(JSON.parse(vector) as number[]),
    ...(page !== null && { page }),
    ...(pageEnd !== null && { pageEnd }),
  };
}
