import { purging } from "../../purging.ts";
import type { PostgresDatabase } from "../postgres/database.ts";

/** Deleted in one statement. */
const SESSIONS_MAX = 50;

/** Several processes do this at once: each takes those that nobody else has locked. */
const PURGE = `DELETE FROM sessions WHERE row IN (
  SELECT row FROM sessions WHERE used_at <= clock_timestamp() - $1::float8 * interval '1 millisecond'
  ORDER BY used_at LIMIT ${SESSIONS_MAX} FOR UPDATE SKIP LOCKED) RETURNING row`;

/** Deletes forgotten sessions in the background, a little at a time. @returns what stops it */
export function purgeSessions(database: PostgresDatabase, ttlMs: number): () => void {
  const stopped = new AbortController();
  const stop = purging(ttlMs, async () => {
    const gone = await database.query({ signal: stopped.signal }, PURGE, [ttlMs]);
    return gone.length === SESSIONS_MAX;
  });
  return () => {
    stop();
    stopped.abort();
  };
}
