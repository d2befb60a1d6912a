import { RaglineError } from "../../errors.ts";
import type { PendingPassage, Reembedding, ReembeddingState } from "../../ports/reembedding.ts";
import type { Scope } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { NEXT_CHANGE } from "../sqlite/schema.ts";
import { bytes } from "../sqlite/vector-blob.ts";
import type { Statement } from "../sqlite/writer.ts";
import { spaceOf } from "./sqlite-live.ts";
import { DELETE_ORPHANS, SEGMENT_TABLES } from "./sqlite-segments.ts";
import { checkVector, isSame, type Space } from "./vector-space.ts";

const THIS_COLLECTION = "(SELECT row FROM collections WHERE tenant = ? AND name = ?)";
const OF_COLLECTION = `SELECT p.row FROM passages p JOIN documents d ON d.row = p.document WHERE d.collection = ${THIS_COLLECTION}`;
const SHADOW_IS_MINE = `SELECT 1 FROM shadows WHERE collection = ${THIS_COLLECTION} AND embedder = ? AND dimensions = ?`;
const COLLECTION_EXISTS = "SELECT 1 FROM collections WHERE tenant = ? AND name = ?";

const DISCARD_OTHERS = `DELETE FROM shadow_vectors WHERE passage IN (${OF_COLLECTION}) AND NOT EXISTS (${SHADOW_IS_MINE})`;
const BEGIN = `INSERT INTO shadows (collection, embedder, dimensions) VALUES (${THIS_COLLECTION}, ?, ?)
  ON CONFLICT DO UPDATE SET embedder = excluded.embedder, dimensions = excluded.dimensions`;
const COUNTS = `SELECT count(*) AS passages, count(s.passage) AS embedded FROM passages p
  JOIN documents d ON d.row = p.document LEFT JOIN shadow_vectors s ON s.passage = p.row WHERE d.collection = ${THIS_COLLECTION}`;
const PENDING = `SELECT p.row, d.title, p.headings, p.text FROM passages p JOIN documents d ON d.row = p.document
  WHERE d.collection = ${THIS_COLLECTION} AND NOT EXISTS (SELECT 1 FROM shadow_vectors s WHERE s.passage = p.row)`;
const PUT = "INSERT OR REPLACE INTO shadow_vectors (passage, vector) SELECT row, ? FROM passages WHERE row = ?";
const NONE_PENDING = `SELECT 1 WHERE NOT EXISTS (${PENDING})`;
const TAKE_VECTORS = `UPDATE passages SET vector = (SELECT s.vector FROM shadow_vectors s WHERE s.passage = passages.row)
  WHERE document IN (SELECT row FROM documents WHERE collection = ${THIS_COLLECTION})`;
const TAKE_SPACE = "UPDATE collections SET embedder = ?, dimensions = ? WHERE tenant = ? AND name = ?";
const LOG_ALL = `INSERT OR REPLACE INTO changes (seq, collection, document)
  SELECT ${NEXT_CHANGE} + row_number() OVER (ORDER BY row) - 1, collection, row FROM documents WHERE collection = ${THIS_COLLECTION} ORDER BY row`;
const DISCARD = `DELETE FROM shadow_vectors WHERE passage IN (${OF_COLLECTION})`;
const DELETE_SEGMENTS = "DELETE FROM segments WHERE tenant = ? AND collection = ?";
const END = `DELETE FROM shadows WHERE collection = ${THIS_COLLECTION}`;

/**
 * The new vectors lie beside the old ones, by passage, until one transaction puts them in their place. `onSwap`: awaited before
 * the swap is acknowledged.
 */
export function createSqliteReembedding(
  database: Database,
  embedder: Space,
  onSwap: (scope: Scope) => Promise<unknown>,
): Reembedding {
  // Asked anew each time: a model's files may come while this runs.
  const to = () => [embedder.model, embedder.dimensions] as const;
  const keyOf = ({ tenant, collection }: Scope) => [tenant, collection] as const;

  async function mine(scope: Scope, statements: readonly Statement[]): Promise<boolean> {
    const guard = { sql: SHADOW_IS_MINE, values: [...keyOf(scope), ...to()], guard: true } as const;
    if ((await database.write([guard, ...statements])) !== null) return true;
    if (database.get(SHADOW_IS_MINE, ...keyOf(scope), ...to())) return false;
    const message = `collection ${scope.collection} is being moved by somebody else, or was: run \`ragline reindex\` again to see`;
    throw new RaglineError("conflict", message, { retryable: false });
  }

  return {
    async begin(scope): Promise<ReembeddingState> {
      const key = keyOf(scope);
      const space = spaceOf(database, scope.tenant, scope.collection);
      const counts = () => database.get<{ passages: number; embedded: number }>(COUNTS, ...key);
      if (!space || isSame(space, embedder)) {
        const { passages = 0 } = counts() ?? {};
        return { from: space?.model ?? null, to: embedder.model, passages, embedded: passages };
      }
      await database.write([
        { sql: COLLECTION_EXISTS, values: key, guard: true },
        { sql: DISCARD_OTHERS, values: [...key, ...key, ...to()] },
        { sql: BEGIN, values: [...key, ...to()] },
      ]);
      return { from: space.model, to: embedder.model, ...(counts() ?? { passages: 0, embedded: 0 }) };
    },

    async pending(scope, limit) {
      const rows = database.all<Omit<PendingPassage, "headings"> & { readonly headings: string }>(
        `${PENDING} LIMIT ?`,
        ...keyOf(scope),
        limit,
      );
      return rows.map((row) => ({ ...row, headings: JSON.parse(row.headings) as string[] }));
    },

    async put(scope, vectors) {
      for (const { vector } of vectors) if (vector) checkVector(vector, embedder);
      await mine(
        scope,
        vectors.map(({ row, vector }) => ({ sql: PUT, values: [vector && bytes(vector), row] })),
      );
    },

    async swap(scope) {
      const key = keyOf(scope);
      const isSwapped = await mine(scope, [
        { sql: NONE_PENDING, values: key, guard: true },
        { sql: TAKE_VECTORS, values: key },
        { sql: TAKE_SPACE, values: [...to(), ...key] },
        { sql: LOG_ALL, values: key },
        { sql: DISCARD, values: key },
        { sql: END, values: key },
        // They are of vectors that are gone.
        ...SEGMENT_TABLES.map((sql) => ({ sql, values: [] })),
        { sql: DELETE_SEGMENTS, values: key },
        { sql: DELETE_ORPHANS, values: [] },
      ]);
      await onSwap(scope);
      return isSwapped;
    },
  };
}
