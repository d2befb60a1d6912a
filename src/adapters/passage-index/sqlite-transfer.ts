import type { StoredDocument, Transfer } from "../../ports/transfer.ts";
import type { PassageInput, Scope } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { floats } from "../sqlite/vector-blob.ts";
import { type DocumentRow, entry, READABLE } from "./sqlite-rows.ts";

const COLLECTIONS = "SELECT name FROM collections WHERE tenant = ? ORDER BY name";
/** One statement, hence one version; the document's own columns are in its first row alone. */
const once = (column: string) => `CASE WHEN coalesce(p.ordinal, 0) = 0 THEN d.${column} END AS ${column}`;
const READ = `SELECT ${["id", "title", "url", "hash", "metadata", "groups", "source"].map(once).join(", ")}, d.passages,
    d.indexed_at AS indexedAt, p.ordinal, p.headings, p.text, p.tokens, p.page, p.page_end AS pageEnd, p.vector
  FROM collections c JOIN documents d ON d.collection = c.row LEFT JOIN passages p ON p.document = d.row
  WHERE c.tenant = ? AND c.name = ? AND ${READABLE} AND d.id = ? ORDER BY p.ordinal`;

interface StoredRow extends DocumentRow {
  /** Null: the document has no passages. */
  readonly ordinal: number | null;
  readonly headings: string;
  readonly text: string;
  readonly tokens: number;
  readonly page: number | null;
  readonly pageEnd: number | null;
  readonly vector: Uint8Array | null;
}

export function createSqliteTransfer(database: Database): Transfer {
  return {
    // One commit for all.
    writesAtOnce: 32,
    async collections(tenant) {
      return database.all<{ name: string }>(COLLECTIONS, tenant).map(({ name }) => name);
    },
    async read({ tenant, collection, groups }: Scope, documentId): Promise<StoredDocument | null> {
      const rows = database.all<StoredRow>(READ, tenant, collection, JSON.stringify(groups), documentId);
      const [first] = rows;
      if (!first) return null;
      return { document: entry(first), passages: rows.flatMap((row) => (row.ordinal === null ? [] : [passage(row)])) };
    },
  };
}

function passage({ text, headings, tokens, page, pageEnd, vector }: StoredRow): PassageInput {
  return {
    text,
    headings: JSON.parse(headings) as string[],
    tokens,
    vector: vector && floats(vector),
    ...(page !== null && { page }),
    ...(pageEnd !== null && { pageEnd }),
  };
}
