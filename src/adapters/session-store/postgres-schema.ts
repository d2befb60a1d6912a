import { RaglineError } from "../../errors.ts";
import type { Query } from "../postgres/database.ts";

/** Changes with the tables and functions. */
const SCHEMA_VERSION = 2;
/** Takes over tables of this one, and leaves them usable for processes that know no later one. */
const TAKEN_OVER = 1;
/** Any number of our own: two processes never make tables at once. */
const LOCK = 7_219_302;

/** The part of a stored id that says whose session it is. */
export const USER = "split_part(id, '/', 1)";
const BY_USER = `CREATE INDEX sessions_by_user ON sessions (tenant, collection, ${USER}, used_at) WHERE id LIKE '%/%';`;

/**
 * `turn` and `short` are JSON that is never read here; pending ones are turns as they are if nobody finishes them. A version begins with
 * the microsecond of its session's creation, so that it also grows over a deletion.
 */
const TABLES = `
CREATE TABLE sessions_schema (version int NOT NULL);
CREATE TABLE sessions (
  row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  collection text NOT NULL,
  id text NOT NULL,
  version bigint NOT NULL,
  replaced_version bigint NOT NULL,
  summary text NOT NULL DEFAULT '',
  summarized_turns int NOT NULL DEFAULT 0,
  entities text NOT NULL DEFAULT '[]',
  turn_count int NOT NULL DEFAULT 0,
  total_tokens bigint NOT NULL DEFAULT 0,
  recall_model text,
  recall_up_to int NOT NULL DEFAULT 0,
  used_at timestamptz NOT NULL,
  groups text[] NOT NULL DEFAULT '{}',
  UNIQUE (tenant, collection, id)
);
CREATE INDEX ON sessions (used_at);
${BY_USER}
CREATE TABLE turns (
  session bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
  number int NOT NULL,
  request_id text NOT NULL,
  status text NOT NULL,
  tokens int NOT NULL,
  turn text NOT NULL,
  short text,
  PRIMARY KEY (session, number),
  UNIQUE (session, request_id)
);
CREATE TABLE pending_turns (
  session bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
  request_id text NOT NULL,
  tokens int NOT NULL,
  turn text NOT NULL,
  expires_at timestamptz NOT NULL,
  place bigint GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (session, request_id)
);
CREATE TABLE turn_vectors (
  session bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
  number int NOT NULL,
  vector bytea NOT NULL,
  PRIMARY KEY (session, number)
);`;

/**
 * In all of these `s` is the session, and whoever changes it holds its row until the end. `session_view` is stable, so that it sees what its caller saw: what
 * is asked meanwhile by somebody with other groups is not in it.
 */
const SHARED_FUNCTIONS = `
CREATE FUNCTION session_view(s sessions, turns_max int) RETURNS json STABLE LANGUAGE sql AS $$
  SELECT json_build_object('version', s.version::text, 'summary', s.summary, 'summarizedTurns', s.summarized_turns,
    'entities', s.entities, 'turnCount', s.turn_count, 'totalTokens', s.total_tokens, 'recallModel', s.recall_model,
    'recallUpTo', s.recall_up_to,
    'turns', (SELECT coalesce(json_agg(json_build_array(t.number, t.turn, t.short) ORDER BY t.number), '[]') FROM turns t
      WHERE t.session = s.row AND t.number > greatest(s.summarized_turns, s.turn_count - turns_max)),
    'pending', (SELECT coalesce(json_agg(json_build_array(p.turn, p.expires_at <= clock_timestamp()) ORDER BY p.place), '[]')
      FROM pending_turns p WHERE p.session = s.row)) $$;

CREATE FUNCTION session_replace(of_tenant text, of_collection text, of_id text, read_version bigint, new_summary text,
  new_summarized int, new_entities text, new_model text, short_numbers int[], shorts text[], vector_numbers int[], vectors bytea[])
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  s sessions;
BEGIN
  SELECT * INTO s FROM sessions WHERE tenant = of_tenant AND collection = of_collection AND id = of_id FOR UPDATE;
  IF NOT FOUND OR s.version < read_version OR s.replaced_version > read_version OR s.turn_count < new_summarized THEN
    RETURN false;
  END IF;
  IF new_model IS DISTINCT FROM s.recall_model AND new_model IS NOT NULL THEN
    DELETE FROM turn_vectors WHERE session = s.row;
    s.recall_up_to := 0;
  END IF;
  UPDATE turns t SET short = f.short FROM unnest(short_numbers, shorts) f (number, short)
    WHERE t.session = s.row AND t.number = f.number;
  INSERT INTO turn_vectors (session, number, vector) SELECT s.row, t.number, v.vector
    FROM unnest(vector_numbers, vectors) v (number, vector) JOIN turns t ON t.session = s.row AND t.number = v.number
    ON CONFLICT (session, number) DO UPDATE SET vector = excluded.vector;
  UPDATE sessions SET version = version + 1, replaced_version = version + 1, summary = coalesce(new_summary, summary),
    summarized_turns = coalesce(new_summarized, summarized_turns), entities = coalesce(new_entities, entities),
    recall_model = coalesce(new_model, recall_model),
    recall_up_to = greatest(s.recall_up_to, (SELECT coalesce(max(number), 0) FROM turn_vectors WHERE session = s.row))
    WHERE row = s.row;
  RETURN true;
END $$;`;

/** In version 1 they know no groups: the same names with other arguments. */
const OPEN_FUNCTIONS = `
CREATE FUNCTION session_load(of_tenant text, of_collection text, of_id text, of_groups text[], turns_max int, ttl_ms float8) RETURNS json
LANGUAGE sql AS $$
  SELECT CASE WHEN s.groups <@ of_groups THEN session_view(s, turns_max) ELSE json_build_object('closed', true) END FROM sessions s
  WHERE s.tenant = of_tenant AND s.collection = of_collection AND s.id = of_id
    AND s.used_at > clock_timestamp() - ttl_ms * interval '1 millisecond' $$;

CREATE FUNCTION session_begin(of_tenant text, of_collection text, of_id text, of_groups text[], asked text, asked_tokens int,
  asked_turn text, turns_max int, lease_ms float8, ttl_ms float8, pending_max int) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  s sessions;
  now timestamptz := clock_timestamp();
  first bigint := extract(epoch FROM now) * 1000000;
  before json;
BEGIN
  DELETE FROM sessions WHERE tenant = of_tenant AND collection = of_collection AND id = of_id
    AND used_at <= now - ttl_ms * interval '1 millisecond';
  LOOP
    SELECT * INTO s FROM sessions WHERE tenant = of_tenant AND collection = of_collection AND id = of_id FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO sessions (tenant, collection, id, version, replaced_version, used_at)
      VALUES (of_tenant, of_collection, of_id, first, first, now) ON CONFLICT DO NOTHING RETURNING * INTO s;
    EXIT WHEN FOUND;
  END LOOP;
  IF NOT s.groups <@ of_groups THEN RETURN json_build_object('closed', true); END IF;
  before := CASE WHEN s.version = first THEN NULL ELSE session_view(s, turns_max) END;
  WITH abandoned AS (
    DELETE FROM pending_turns WHERE session = s.row AND expires_at <= now RETURNING request_id, tokens, turn, place
  ), kept AS (
    INSERT INTO turns (session, number, request_id, status, tokens, turn)
    SELECT s.row, s.turn_count + row_number() OVER (ORDER BY place), request_id, 'interrupted', tokens, turn FROM abandoned
    RETURNING tokens
  )
  UPDATE sessions SET used_at = now, turn_count = turn_count + (SELECT count(*) FROM kept),
    total_tokens = total_tokens + (SELECT coalesce(sum(tokens), 0) FROM kept) WHERE row = s.row;
  IF EXISTS (SELECT FROM turns WHERE session = s.row AND request_id = asked)
    OR EXISTS (SELECT FROM pending_turns WHERE session = s.row AND request_id = asked) THEN
    RETURN json_build_object('before', before);
  END IF;
  IF (SELECT count(*) FROM pending_turns WHERE session = s.row) >= pending_max THEN RETURN NULL; END IF;
  INSERT INTO pending_turns (session, request_id, tokens, turn, expires_at)
    VALUES (s.row, asked, asked_tokens, asked_turn, now + lease_ms * interval '1 millisecond');
  UPDATE sessions SET version = version + 1, groups = of_groups WHERE row = s.row;
  RETURN json_build_object('before', before);
END $$;

CREATE FUNCTION session_finish(of_tenant text, of_collection text, of_id text, of_groups text[], asked text, new_status text,
  new_tokens int, new_turn text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  s sessions;
  stored turns;
BEGIN
  SELECT * INTO s FROM sessions WHERE tenant = of_tenant AND collection = of_collection AND id = of_id FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  IF NOT of_groups <@ s.groups THEN
    s.groups := ARRAY(SELECT unnest(s.groups) UNION SELECT unnest(of_groups));
  END IF;
  SELECT * INTO stored FROM turns WHERE session = s.row AND request_id = asked;
  IF FOUND THEN
    UPDATE sessions SET groups = s.groups WHERE row = s.row AND groups <> s.groups;
    IF stored.status <> 'complete' AND new_status = 'complete' THEN
      UPDATE turns SET status = new_status, tokens = new_tokens, turn = new_turn, short = NULL
        WHERE session = s.row AND number = stored.number;
      UPDATE sessions SET version = version + 1, replaced_version = version + 1, used_at = clock_timestamp(),
        total_tokens = total_tokens + new_tokens - stored.tokens WHERE row = s.row;
    END IF;
    RETURN true;
  END IF;
  DELETE FROM pending_turns WHERE session = s.row AND request_id = asked;
  IF NOT FOUND THEN RETURN false; END IF;
  INSERT INTO turns (session, number, request_id, status, tokens, turn)
    VALUES (s.row, s.turn_count + 1, asked, new_status, new_tokens, new_turn);
  UPDATE sessions SET version = version + 1, turn_count = turn_count + 1, total_tokens = total_tokens + new_tokens,
    used_at = clock_timestamp(), groups = s.groups WHERE row = s.row;
  RETURN true;
END $$;`;

/** For the lock of a table that others have: they wait behind it meanwhile, and the next call tries again. */
const LOCK_TIMEOUT_MS = 2000;
/** The index is made over all rows. The strictest lock comes first: whoever waits for a further one can be in its way for ever. */
const TAKE_OVER = `SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
ALTER TABLE sessions ADD COLUMN groups text[] NOT NULL DEFAULT '{}';
${BY_USER}
ALTER FUNCTION session_view STABLE;
${OPEN_FUNCTIONS}`;

/**
 * Makes what is missing, in one transaction.
 * @throws RaglineError `config_invalid`: the tables are of another version
 */
export async function ensureSessionSchema(query: Query, schema: string): Promise<void> {
  await query("BEGIN");
  try {
    await query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    const there = await query("SELECT 1 WHERE to_regclass($1) IS NOT NULL", [`${schema}.sessions_schema`]);
    if (there.length === 0) {
      await query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      await query(
        `${TABLES}${SHARED_FUNCTIONS}${OPEN_FUNCTIONS} INSERT INTO sessions_schema VALUES (${SCHEMA_VERSION})`,
      );
    }
    const [found] = await query<{ version: number }>("SELECT version FROM sessions_schema");
    if (found?.version === TAKEN_OVER) {
      const taken = await query(
        "SELECT FROM pg_attribute WHERE attrelid = 'sessions'::regclass AND attname = 'groups'",
      );
      if (taken.length === 0) await query(TAKE_OVER);
    } else if (found?.version !== SCHEMA_VERSION) {
      throw new RaglineError(
        "config_invalid",
        `session.schema: the tables in ${schema} are of version ${found?.version}, these need ${SCHEMA_VERSION}: use another schema`,
      );
    }
    await query("COMMIT");
  } catch (error) {
    await query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
