import type { Database } from "../sqlite/database.ts";
import { AGES, PURGE } from "./sqlite-statements.ts";

/** Sessions looked at in one piece of work, and turns deleted in one, unless a single session has more. */
const SESSIONS_MAX = 200;
const TURNS_MAX = 2000;
/** Between two pieces; and once all sessions have been looked at, until they are again, at most. */
const PIECE_EVERY_MS = 250;
const AGAIN_MAX_MS = 600_000;

/** Deletes forgotten sessions in the background, a little at a time. @returns what stops it */
export function purgeSessions(database: Database, ttlMs: number): () => void {
  const againMs = Math.min(AGAIN_MAX_MS, Math.max(PIECE_EVERY_MS, ttlMs / 4));
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  const next = (after: number, waitMs: number) => {
    if (stopped) return;
    timer = setTimeout(() => {
      piece(database, after, Date.now() - ttlMs).then(
        (last) => (last === null ? next(0, againMs) : next(last, PIECE_EVERY_MS)),
        // The file is locked, full or read-only: whoever writes to it is told so.
        () => next(0, againMs),
      );
    }, waitMs);
    timer.unref();
  };
  if (Number.isFinite(ttlMs)) next(0, againMs);
  return () => {
    stopped = true;
    if (timer) clearTimeout(timer);
  };
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
