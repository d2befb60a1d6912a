import { purging } from "../../purging.ts";
import type { Database } from "../sqlite/database.ts";
import { AGES, PURGE } from "./sqlite-statements.ts";

/** Sessions looked at in one piece of work, and turns deleted in one, unless a single session has more. */
const SESSIONS_MAX = 200;
const TURNS_MAX = 2000;

/** Deletes forgotten sessions in the background, a little at a time. @returns what stops it */
export function purgeSessions(database: Database, ttlMs: number): () => void {
  let after = 0;
  return purging(ttlMs, async () => {
    const from = after;
    after = 0;
    const last = await piece(database, from, Date.now() - ttlMs);
    after = last ?? 0;
    return last !== null;
  });
}

/** @returns the last row that was looked at; null: there is none after it */
async function piece(database: Database, after: number, before: number): Promise<number | null> {
  const ages = database.all<{ row: number; turns: number; forgotten: number }>(AGES, after, SESSIONS_MAX, before);
  const rows: number[] = [];
  let turns = 0;
  let last = after;
  for (const session of ages) {
    if (session.forgotten === 1) {
      turns += session.turns;
      if (rows.length > 0 && turns > TURNS_MAX) break;
      rows.push(session.row);
    }
    last = session.row;
  }
  if (rows.length > 0) await database.write([{ sql: PURGE, values: [JSON.stringify(rows), before] }]);
  return last === ages.at(-1)?.row && ages.length < SESSIONS_MAX ? null : last;
}
