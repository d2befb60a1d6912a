import type { AnswerCache, CachedAnswer } from "../../ports/answer-cache.ts";
import { purging } from "../../purging.ts";
import { groupsInOrder, type Scope } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";

const FIND = "SELECT answer FROM answers WHERE tenant = ? AND collection = ? AND key = ? AND created_at > ?";
const PUT = `INSERT INTO answers (tenant, collection, key, answer, created_at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET answer = excluded.answer, created_at = excluded.created_at`;
const EXPIRED = "SELECT rowid FROM answers WHERE created_at <= ? ORDER BY created_at LIMIT ?";
const IS_EXPIRED = `SELECT 1 FROM (${EXPIRED})`;
const EXPIRE = `DELETE FROM answers WHERE rowid IN (${EXPIRED})`;
const TRIM = `DELETE FROM answers WHERE created_at <= (SELECT created_at FROM answers ORDER BY created_at DESC LIMIT 1 OFFSET ?)`;
const DELETE_SOME = `DELETE FROM answers WHERE rowid IN
  (SELECT rowid FROM answers WHERE tenant = ? AND collection = ? LIMIT ?)`;
const DELETED_AT_ONCE = 500;
/** Whether there are too many is looked for once in so many puts, the first of a process included. */
const PUTS_PER_CLEANING = 100;

/** Finished answers in the embedded database, under exact keys. Expired ones are deleted whether or not anybody asks. */
export function createSqliteAnswerCache(
  database: Database,
  options: { readonly ttlMs: number; readonly entriesMax: number },
): AnswerCache {
  let puts = 0;
  const stopPurging = purging(options.ttlMs, async () => {
    const before = Date.now() - options.ttlMs;
    if (!database.get(IS_EXPIRED, before, 1)) return false;
    await database.write([{ sql: EXPIRE, values: [before, DELETED_AT_ONCE] }]);
    return true;
  });
  return {
    async find(scope, key) {
      const values = [scope.tenant, scope.collection, scoped(scope, key), Date.now() - options.ttlMs] as const;
      const row = database.get<{ answer: string }>(FIND, ...values);
      return row ? (JSON.parse(row.answer) as CachedAnswer) : null;
    },

    async put(scope, key, answer) {
      const now = Date.now();
      const values = [scope.tenant, scope.collection, scoped(scope, key), JSON.stringify(answer), now];
      const cleaning = puts++ % PUTS_PER_CLEANING === 0 ? [{ sql: TRIM, values: [options.entriesMax] }] : [];
      await database.write([{ sql: PUT, values }, ...cleaning]);
    },

    async deleteAll({ tenant, collection }, { signal }) {
      for (let deleted = DELETED_AT_ONCE; deleted === DELETED_AT_ONCE; ) {
        signal.throwIfAborted();
        const changes = await database.write([{ sql: DELETE_SOME, values: [tenant, collection, DELETED_AT_ONCE] }]);
        deleted = changes?.[0] ?? 0;
      }
    },

    close: async () => stopPurging(),
  };
}

/** Callers of other groups never share an entry. */
function scoped(scope: Scope, key: string): string {
  return JSON.stringify([key, groupsInOrder(scope.groups)]);
}
