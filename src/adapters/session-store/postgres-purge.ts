import type { PostgresDatabase } from "../postgres/database.ts";

/** Sessions deleted in one statement; between two, and once all that are forgotten are gone, at most. */
const SESSIONS_MAX = 50;
const PIECE_EVERY_MS = 250;
const AGAIN_MAX_MS = 600_000;

/** Several processes do this at once: each takes those that nobody else has locked. */
const PURGE = `DELETE FROM sessions WHERE row IN (
  SELECT row FROM sessions WHERE used_at <= clock_timestamp() - $1::float8 * interval '1 millisecond'
  ORDER BY used_at LIMIT ${SESSIONS_MAX} FOR UPDATE SKIP LOCKED) RETURNING row`;

/** Deletes forgotten sessions in the background, a little at a time. @returns what stops it */
export function purgeSessions(database: PostgresDatabase, ttlMs: number): () => void {
  const againMs = Math.min(AGAIN_MAX_MS, Math.max(PIECE_EVERY_MS, ttlMs / 4));
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | null = null;
  const next = (waitMs: number) => {
    if (stopped.signal.aborted) return;
    timer = setTimeout(() => {
      database.query({ signal: stopped.signal }, PURGE, [ttlMs]).then(
        (gone) => next(gone.length === SESSIONS_MAX ? PIECE_EVERY_MS : againMs),
        // Whoever needs the database is told what is wrong with it.
        () => next(againMs),
      );
    }, waitMs);
    timer.unref();
  };
  next(againMs);
  return () => {
    stopped.abort();
    if (timer) clearTimeout(timer);
  };
}
