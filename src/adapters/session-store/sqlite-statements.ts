/** Every statement on a session begins with the same three values: tenant, collection, stored id. */
const HERE = "tenant = ?1 AND collection = ?2 AND id = ?3";
const ROW = `(SELECT row FROM sessions WHERE ${HERE})`;

/** When a session was last gone on with, ms: its versions begin with the microsecond of its creation; turns and questions have a time. */
const USED_MS = `max(version / 1000,
  coalesce((SELECT 1000 * unixepoch(at, 'subsec') FROM turns WHERE session = row AND number = turn_count), 0),
  coalesce((SELECT 1000 * unixepoch(max(at), 'subsec') FROM pending_turns WHERE session = row), 0))`;

/** ?4: sessions last used before then are forgotten. */
export const FIND = `SELECT *, (SELECT max(number) FROM turn_vectors WHERE session = row) AS recall_up_to
  FROM sessions WHERE ${HERE} AND ${USED_MS} >= ?4`;
/** ?4 as in FIND. */
export const FORGET = `DELETE FROM sessions WHERE ${HERE} AND ${USED_MS} < ?4`;
/** ?1 row, ?2 sessions at most: the next ones after that row, ?3 as ?4 in FIND. */
export const AGES = `SELECT row, turn_count AS turns, ${USED_MS} < ?3 AS forgotten FROM sessions WHERE row > ?1 ORDER BY row LIMIT ?2`;
/** ?1 rows, as JSON, ?2 as ?4 in FIND: not those that were gone on with meanwhile. */
export const PURGE = `DELETE FROM sessions WHERE row IN (SELECT value FROM json_each(?1)) AND ${USED_MS} < ?2`;
export const PENDING = `SELECT request_id AS requestId, question, at, expires_at AS expiresAt FROM pending_turns
  WHERE session = ?1 ORDER BY expires_at, rowid`;
/** Files that may not be written can lack columns. */
export function reading(has: (table: string, column: string) => boolean) {
  const [sources, finishReason] = ["sources", "finish_reason"].map((column) =>
    has("turns", column) ? column : "NULL",
  );
  const shown = `SELECT number, request_id AS requestId, query, status, at, ${sources} AS sources, ${finishReason} AS finishReason, short_tokens IS NOT NULL AS short,
  coalesce(short_question, question) AS question, coalesce(short_answer, answer) AS answer, coalesce(short_tokens, tokens) AS tokens
  FROM turns WHERE session = ?1 AND number > ?2 AND number <= ?3 ORDER BY number`;
  /** ?4 as in FIND, ?5 numbers, as JSON. */
  const originals = `SELECT number, request_id AS requestId, question, query, answer, status, tokens, at, ${sources} AS sources,
  ${finishReason} AS finishReason, 0 AS short FROM turns
  WHERE session = (SELECT row FROM sessions WHERE ${HERE} AND ${USED_MS} >= ?4) AND number IN (SELECT value FROM json_each(?5))
  ORDER BY number`;
  return { shown, originals };
}
/** Forgotten or not. */
export const SESSION = `SELECT * FROM sessions WHERE ${HERE}`;
/** ?3 and ?4 ids, between which they are looked for, ?5 sessions at most. */
export const PLACES = `SELECT *, CAST(round(${USED_MS}) AS INTEGER) AS used_at_ms FROM sessions
  WHERE tenant = ?1 AND collection = ?2 AND id > ?3 AND id < ?4 ORDER BY id LIMIT ?5`;
/** ?1 row. */
export const FIRST_QUESTION = `SELECT coalesce((SELECT question FROM turns WHERE session = ?1 AND number = 1),
  (SELECT question FROM pending_turns WHERE session = ?1 ORDER BY expires_at, rowid), '') AS question`;
export const HAS_COLUMN = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2";
/** ?4 as in FIND, ?5 model. */
export const VECTORS = `SELECT number, vector FROM turn_vectors JOIN sessions ON row = session
  WHERE ${HERE} AND ${USED_MS} >= ?4 AND recall_model = ?5`;

/** ?4 now, in microseconds: the version begins with it, so that it also grows over a deletion. */
export const CREATE = `INSERT INTO sessions (tenant, collection, id, version, replaced_version) VALUES (?1, ?2, ?3, ?4, ?4)
  ON CONFLICT DO NOTHING`;
/**
 * ?4 a version that was read, ?5 one that the session cannot have got to by then: whether it is the same session still. A later one under
 * its id begins with a later microsecond.
 */
export const IS_SAME = `SELECT 1 FROM sessions WHERE ${HERE} AND version >= ?4 AND version < ?5`;
/** ?4 request id. */
export const IS_UNKNOWN = `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM turns WHERE session = ${ROW} AND request_id = ?4)
  AND NOT EXISTS (SELECT 1 FROM pending_turns WHERE session = ${ROW} AND request_id = ?4)`;
export const IS_KNOWN = `SELECT 1 WHERE EXISTS (SELECT 1 FROM turns WHERE session = ${ROW} AND request_id = ?4)
  OR EXISTS (SELECT 1 FROM pending_turns WHERE session = ${ROW} AND request_id = ?4)`;
/** ?4 most. */
export const HAS_ROOM = `SELECT 1 WHERE (SELECT count(*) FROM pending_turns WHERE session = ${ROW}) < ?4`;
/** ?4 now. The three of them give pending questions whose lease is over a number. */
export const KEEP_ABANDONED = `INSERT INTO turns (session, number, request_id, question, query, answer, status, tokens, at)
  SELECT session, turn_count + row_number() OVER (ORDER BY expires_at, p.rowid), request_id, question, question, '', 'interrupted', tokens, at
  FROM pending_turns p JOIN sessions s ON s.row = p.session WHERE s.${HERE.replaceAll(" AND ", " AND s.")} AND expires_at <= ?4`;
export const COUNT_ABANDONED = `UPDATE sessions SET
  turn_count = turn_count + (SELECT count(*) FROM pending_turns WHERE session = row AND expires_at <= ?4),
  total_tokens = total_tokens + (SELECT coalesce(sum(tokens), 0) FROM pending_turns WHERE session = row AND expires_at <= ?4)
  WHERE ${HERE}`;
export const DROP_ABANDONED = `DELETE FROM pending_turns WHERE session = ${ROW} AND expires_at <= ?4`;
export const RECORD = `INSERT INTO pending_turns (session, request_id, question, tokens, at, expires_at)
  VALUES (${ROW}, ?4, ?5, ?6, ?7, ?8)`;
/** ?4 request id, ?5 expires at. */
export const RENEW = `UPDATE pending_turns SET expires_at = ?5 WHERE session = ${ROW} AND request_id = ?4`;
/** ?4 groups, as JSON. */
const IS_OPEN = `NOT EXISTS (SELECT 1 FROM json_each(coalesce(groups, '[]')) WHERE value NOT IN (SELECT value FROM json_each(?4)))`;
/** Whether who has these groups may ask in it, or would be the first. */
export const MAY_ASK = `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE ${HERE} AND NOT ${IS_OPEN})`;
/** ?4 groups, as JSON, which whoever reads it needs from now on beside those before. */
export const JOIN = `UPDATE sessions SET groups = (SELECT json_group_array(value) FROM
  (SELECT value FROM json_each(coalesce(groups, '[]')) UNION SELECT value FROM json_each(?4))) WHERE ${HERE}`;
export const TOUCH = `UPDATE sessions SET version = version + 1 WHERE ${HERE}`;

/**
 * ?4 request id, ?5 tokens, ?6 status. Counts a turn that is new, or that completes one which was not; the latter counts as
 * a replacement, since a short form of it may be on its way.
 */
export const COUNT_FINISHED = `UPDATE sessions SET version = version + 1,
  turn_count = turn_count + NOT EXISTS (SELECT 1 FROM turns WHERE session = row AND request_id = ?4),
  total_tokens = total_tokens + ?5 - coalesce((SELECT tokens FROM turns WHERE session = row AND request_id = ?4), 0),
  replaced_version = iif(EXISTS (SELECT 1 FROM turns WHERE session = row AND request_id = ?4), version + 1, replaced_version)
  WHERE ${HERE} AND NOT EXISTS
    (SELECT 1 FROM turns WHERE session = row AND request_id = ?4 AND (status = 'complete' OR ?6 <> 'complete'))`;
/** ?4 request id, ?5 tokens, ?6 status, ?7 question, ?8 query, ?9 answer, ?10 at, ?11 sources, as JSON, ?12 finish reason. */
export const COMPLETE = `UPDATE turns SET tokens = ?5, status = ?6, question = ?7, query = ?8, answer = ?9, at = ?10, sources = ?11, finish_reason = ?12,
  short_question = NULL, short_answer = NULL, short_tokens = NULL
  WHERE session = ${ROW} AND request_id = ?4 AND status <> 'complete' AND ?6 = 'complete'`;
export const FINISH = `INSERT INTO turns (session, number, request_id, tokens, status, question, query, answer, at, sources, finish_reason)
  SELECT row, turn_count, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM sessions
  WHERE ${HERE} AND NOT EXISTS (SELECT 1 FROM turns WHERE session = row AND request_id = ?4)`;
export const DROP_PENDING = `DELETE FROM pending_turns WHERE session = ${ROW} AND request_id = ?4`;

/** ?4 version, ?5 turns summarised, or null. */
export const MAY_REPLACE = `SELECT 1 FROM sessions WHERE ${HERE} AND replaced_version <= ?4 AND version >= ?4
  AND turn_count >= coalesce(?5, 0)`;
/** ?4 summary, ?5 turns summarised, ?6 entities, ?7 recall model: null leaves what is there. */
export const REPLACE = `UPDATE sessions SET version = version + 1, replaced_version = version + 1, summary = coalesce(?4, summary),
  summarized_turns = coalesce(?5, summarized_turns), entities = coalesce(?6, entities), recall_model = coalesce(?7, recall_model)
  WHERE ${HERE}`;
/** ?4 number, ?5 question, ?6 answer, ?7 tokens. */
export const SHORTEN = `UPDATE turns SET short_question = ?5, short_answer = ?6, short_tokens = ?7
  WHERE session = ${ROW} AND number = ?4`;
/** ?4 model. */
export const DROP_OTHER_VECTORS = `DELETE FROM turn_vectors WHERE session =
  (SELECT row FROM sessions WHERE ${HERE} AND recall_model IS NOT ?4)`;
/** ?4 number, ?5 vector. */
export const REMEMBER = `INSERT INTO turn_vectors (session, number, vector)
  SELECT session, number, ?5 FROM turns WHERE session = ${ROW} AND number = ?4
  ON CONFLICT DO UPDATE SET vector = excluded.vector`;
export const DELETE = `DELETE FROM sessions WHERE ${HERE} AND ${IS_OPEN}`;
/** ?3 and ?4 as in PLACES, ?5 sessions at most. */
export const DELETE_SOME = `DELETE FROM sessions WHERE row IN
  (SELECT row FROM sessions WHERE tenant = ?1 AND collection = ?2 AND id > ?3 AND id < ?4 ORDER BY id LIMIT ?5)`;
