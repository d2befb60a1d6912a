import type { RowHit } from "../../resident/partition.ts";
import type { Document, Passage, PassageInput, Scope } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { KnownPassages, LEAVING_MAX } from "./known-passages.ts";
import type { PassageRow } from "./sqlite-rows.ts";
import { storedPassage } from "./stored-passage.ts";

const PASSAGES = `SELECT p.row, p.ordinal, p.headings, p.text, p.tokens, p.page, p.page_end AS pageEnd, d.id, d.title, d.url, d.metadata
  FROM passages p JOIN documents d ON d.row = p.document WHERE p.row IN (SELECT value FROM json_each(?))`;
const ROWS = `SELECT p.row FROM passages p JOIN documents d ON d.row = p.document JOIN collections c ON c.row = d.collection
  WHERE c.tenant = ? AND c.name = ? AND d.id = ? LIMIT ${LEAVING_MAX + 1}`;

/** The passages that searches in memory found, by row: as this process knows them, else from the file. */
export class SqlitePassages {
  readonly #database: Database;
  readonly #known = new KnownPassages();

  constructor(database: Database) {
    this.#database = database;
  }

  /** What was just committed. See `KnownPassages.wrote`. */
  wrote(rows: readonly number[], document: Document, passages: readonly PassageInput[]): void {
    this.#known.wrote(rows, document, passages);
  }

  /** The hits' passages by row; null: a row is gone, the index has moved on. */
  read(hits: readonly RowHit[]): Map<number, Passage> | null {
    const found = new Map<number, Passage>();
    const missing = new Set<number>();
    for (const { row } of hits) {
      const passage = this.#known.find(row);
      if (passage) found.set(row, passage);
      else missing.add(row);
    }
    for (const [row, passage] of this.#stored(missing)) {
      found.set(row, passage);
      this.#known.keep(row, passage);
      missing.delete(row);
    }
    return missing.size === 0 ? found : null;
  }

  #stored(rows: ReadonlySet<number>): [row: number, passage: Passage][] {
    if (rows.size === 0) return [];
    const found = this.#database.all<PassageRow>(PASSAGES, JSON.stringify([...rows]));
    return found.map((row) => [row.row, storedPassage(row)]);
  }

  /**
   * A document's passages are about to go from the file. Until the commit is taken over searches find them: one that had to read them
   * would wait, and search again.
   */
  leave(scope: Scope, documentId: string): void {
    try {
      const rows = this.#database.all<{ row: number }>(ROWS, scope.tenant, scope.collection, documentId);
      if (rows.length > LEAVING_MAX) return;
      const unknown = rows.map(({ row }) => row).filter((row) => !this.#known.find(row));
      for (const [row, passage] of this.#stored(new Set(unknown))) this.#known.leaves(row, passage);
    } catch {
      // What is wrong with the file, the write says.
    }
  }
}
