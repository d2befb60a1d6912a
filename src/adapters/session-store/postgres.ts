import type { SessionEntry, SessionStore } from "../../ports/session-store.ts";
import {
  type FinishedTurn,
  groupsInOrder,
  type PendingTurn,
  type Scope,
  type Session,
  type ShortTurn,
  type Turn,
} from "../../types.ts";
import { PostgresDatabase, type Query } from "../postgres/database.ts";
import type { PostgresOptions } from "../postgres/options.ts";
import { nearest, toBytes } from "./nearest.ts";
import { purgeSessions } from "./postgres-purge.ts";
import { ensureSessionSchema, USER } from "./postgres-schema.ts";
import {
  emptySession,
  lacksGroups,
  neverAnswered,
  neverBegun,
  pageOf,
  storedId,
  storedUser,
  tooManyPending,
} from "./shared.ts";

export interface PostgresSessionOptions extends PostgresOptions {
  /** A conversation that nobody goes on with for so long is forgotten. */
  readonly ttlMs: number;
  readonly leaseMs: number;
  readonly pendingMax: number;
}

/** What the database says of a session: turns with their short forms, pending questions and whether their lease is over. */
interface View {
  readonly version: string;
  readonly summary: string;
  readonly summarizedTurns: number;
  readonly entities: string;
  readonly turnCount: number;
  readonly totalTokens: number;
  readonly recallModel: string | null;
  readonly recallUpTo: number;
  readonly turns: readonly (readonly [number: number, turn: string, short: string | null])[];
  readonly pending: readonly (readonly [turn: string, isOver: boolean])[];
}

/** Who asks lacks one of the session's groups. */
interface Closed {
  readonly closed: true;
}

const HERE = "s.tenant = $1 AND s.collection = $2 AND s.id = $3";
const NOT_FORGOTTEN = "s.used_at > clock_timestamp() - $4::float8 * interval '1 millisecond'";
const LOAD = "SELECT session_load($1, $2, $3, $4, $5, $6) AS view";
const BEGIN = "SELECT session_begin($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS begun";
const FINISH = "SELECT session_finish($1, $2, $3, $4, $5, $6, $7, $8) AS done";
const REPLACE =
  "SELECT session_replace($1, $2, $3, $4, $5, $6, $7, $8, $9::int[], $10::text[], $11::int[], $12::bytea[]) AS done";
const RENEW = `WITH renewed AS (
  UPDATE pending_turns p SET expires_at = clock_timestamp() + $5::float8 * interval '1 millisecond'
  FROM sessions s WHERE ${HERE} AND p.session = s.row AND p.request_id = $4 RETURNING p.session)
UPDATE sessions SET used_at = clock_timestamp() FROM renewed WHERE row = renewed.session`;
/** Writes nothing to the tables, and waits for its commit as a question does, be it for a standby: the log takes a line of it. */
const PROBE = `WITH used AS (UPDATE sessions SET used_at = used_at WHERE false),
  renewed AS (UPDATE pending_turns SET expires_at = expires_at WHERE false)
SELECT pg_logical_emit_message(true, 'ragline', 'probe')`;
const TURNS = `SELECT t.number, t.turn FROM sessions s JOIN turns t ON t.session = s.row
  WHERE ${HERE} AND ${NOT_FORGOTTEN} AND t.number = ANY ($5::int[]) AND s.groups <@ $6::text[] ORDER BY t.number`;
const VECTORS = `SELECT v.number, v.vector FROM sessions s JOIN turn_vectors v ON v.session = s.row
  WHERE ${HERE} AND ${NOT_FORGOTTEN} AND s.recall_model = $5 AND s.groups <@ $6::text[]`;
const DELETE = `DELETE FROM sessions s WHERE ${HERE} AND s.groups <@ $4::text[] RETURNING row`;
const USED_AT_MS = "floor(extract(epoch FROM used_at) * 1000)::float8";
/** Texts are in order by their bytes, as everywhere else. */
const LIST = `SELECT split_part(s.id, '/', 2) AS id, turn_count AS "turnCount", ${USED_AT_MS} AS "usedAtMs", coalesce(
    (SELECT turn FROM turns WHERE session = s.row AND number = 1),
    (SELECT turn FROM pending_turns WHERE session = s.row ORDER BY place LIMIT 1)) AS first
  FROM sessions s WHERE s.tenant = $1 AND s.collection = $2 AND s.id LIKE '%/%' AND ${USER} = $3 AND ${NOT_FORGOTTEN} AND s.groups <@ $5::text[]
    AND ($6::float8 IS NULL OR ${USED_AT_MS} < $6 OR ${USED_AT_MS} = $6 AND s.id COLLATE "C" > $7)
  ORDER BY "usedAtMs" DESC, s.id COLLATE "C" LIMIT $8`;
/** A statement's worth, within its limit: found in the order of an index, and locked in that of everybody who locks several. */
const deleteSome = (whose: string, order: string) => `DELETE FROM sessions WHERE row IN (SELECT row FROM sessions
  WHERE row = ANY (ARRAY(SELECT row FROM sessions WHERE tenant = $1 AND collection = $2${whose} ORDER BY ${order} LIMIT 50))
  ORDER BY row FOR UPDATE) RETURNING row`;
const DELETE_SOME = deleteSome("", "id");
const DELETE_SOME_OF_USER = deleteSome(` AND id LIKE '%/%' AND ${USER} = $3`, "used_at");

/**
 * Conversations in PostgreSQL. Every call is one statement: one round trip, and atomic. What is acknowledged is as durable as that
 * PostgreSQL is configured to be.
 * @throws RaglineError `config_invalid`. What is wrong with the server itself, the first call says.
 */
export async function openPostgresSessionStore(options: PostgresSessionOptions): Promise<SessionStore> {
  const { ttlMs, leaseMs, pendingMax, schema, timeoutMs } = options;
  const ensure = (query: Query) => ensureSessionSchema(query, schema);
  const settings = { statement_timeout: Math.ceil(timeoutMs) };
  const database = await PostgresDatabase.open({ key: "session", settings, ensure }, options);
  const stopPurging = purgeSessions(database, ttlMs);

  return {
    async begin(scope, id, asked, turnsMax, call) {
      const turn = JSON.stringify(neverAnswered(asked));
      const [reply] = await database.query<{ begun: { before: View | null } | Closed | null }>(call, BEGIN, [
        ...keyOf(scope, id),
        groupsInOrder(scope.groups),
        ...[asked.requestId, asked.tokens, turn, turnsMax, leaseMs, ttlMs, pendingMax],
      ]);
      if (!reply?.begun) throw tooManyPending(pendingMax);
      if ("closed" in reply.begun) throw lacksGroups();
      return { session: toSession(id, reply.begun.before), recorded: Promise.resolve() };
    },

    async renew(scope, id, requestId, call) {
      await database.query(call, RENEW, [...keyOf(scope, id), requestId, leaseMs]);
    },

    async probe(_scope, call) {
      await database.query(call, PROBE);
    },

    async finish(scope, id, turn, call) {
      const said = [turn.requestId, turn.status, turn.tokens, JSON.stringify(turn)];
      const values = [...keyOf(scope, id), groupsInOrder(scope.groups), ...said];
      const [reply] = await database.query<{ done: boolean }>(call, FINISH, values);
      if (!reply?.done) throw neverBegun();
    },

    async load(scope, id, turnsMax, call) {
      const values = [...keyOf(scope, id), groupsInOrder(scope.groups), turnsMax, ttlMs];
      const [reply] = await database.query<{ view: View | Closed | null }>(call, LOAD, values);
      const view = reply?.view ?? null;
      if (view && "closed" in view) throw lacksGroups();
      return toSession(id, view);
    },

    async turns(scope, id, numbers, call) {
      const values = [...keyOf(scope, id), ttlMs, [...numbers], groupsInOrder(scope.groups)];
      const rows = await database.query<{ number: number; turn: string }>(call, TURNS, values);
      return rows.map(({ number, turn }) => toTurn(number, turn, null));
    },

    async replace(scope, id, version, { summary, summarizedTurns, entities, short = [], recall }, call) {
      const vectors = recall?.vectors ?? [];
      const [reply] = await database.query<{ done: boolean }>(call, REPLACE, [
        ...[...keyOf(scope, id), version, summary ?? null, summarizedTurns ?? null],
        ...[entities ? JSON.stringify(entities) : null, recall?.model ?? null],
        ...[short.map(({ number }) => number), short.map((form) => JSON.stringify(form))],
        ...[vectors.map(({ number }) => number), vectors.map(({ vector }) => Buffer.from(toBytes(vector)))],
      ]);
      return reply?.done === true;
    },

    async recall(scope, id, { model, vector, limit }, call) {
      const values = [...keyOf(scope, id), ttlMs, model, groupsInOrder(scope.groups)];
      return nearest(
        vector,
        await database.query<{ number: number; vector: Uint8Array }>(call, VECTORS, values),
        limit,
      );
    },

    async list(scope, { limit, after }, call) {
      const place = [scope.tenant, scope.collection, storedUser(scope.user)];
      const from = after ? [after.usedAtMs, storedId(scope, after.id)] : [null, null];
      const values = [...place, ttlMs, groupsInOrder(scope.groups), ...from, limit + 1];
      const rows = await database.query<Omit<SessionEntry, "question"> & { first: string | null }>(call, LIST, values);
      const entries = rows.map(({ first, ...entry }) => ({ ...entry, question: questionOf(first) }));
      return pageOf(entries, limit);
    },

    async delete(scope, id, call) {
      return (await database.query(call, DELETE, [...keyOf(scope, id), groupsInOrder(scope.groups)])).length > 0;
    },

    async deleteAll({ tenant, collection, user }, call) {
      const whose = user === undefined ? [] : [storedUser(user)];
      const some = user === undefined ? DELETE_SOME : DELETE_SOME_OF_USER;
      for (let all = 0; ; ) {
        const { length } = await database.query(call, some, [tenant, collection, ...whose]);
        if (length === 0) return all;
        all += length;
      }
    },

    async close() {
      stopPurging();
      await database.close();
    },
  };
}

function keyOf(scope: Scope, id: string): [tenant: string, collection: string, id: string] {
  return [scope.tenant, scope.collection, storedId(scope, id)];
}

/** Null: the session has none, as its first could not be kept. */
function questionOf(turn: string | null): string {
  return turn === null ? "" : (JSON.parse(turn) as FinishedTurn).question;
}

function toSession(id: string, view: View | null): Session {
  if (!view) return emptySession(id);
  const { version, summary, summarizedTurns, entities, turnCount, totalTokens, recallModel, recallUpTo } = view;
  return {
    id,
    version: Number(version),
    summary,
    summarizedTurns,
    entities: JSON.parse(entities),
    turns: view.turns.map(([number, turn, short]) => toTurn(number, turn, short)),
    pending: view.pending.map(([turn, isOver]) => toPending(turn, isOver)),
    turnCount,
    totalTokens,
    recall: recallModel !== null && recallUpTo > 0 ? { model: recallModel, upTo: recallUpTo } : null,
  };
}

function toTurn(number: number, stored: string, short: string | null): Turn {
  const form = short === null ? null : (JSON.parse(short) as ShortTurn);
  return { ...(JSON.parse(stored) as FinishedTurn), ...form, number, short: form !== null };
}

function toPending(stored: string, isOver: boolean): PendingTurn {
  const { requestId, question, at } = JSON.parse(stored) as FinishedTurn;
  return { requestId, question, at, status: isOver ? "interrupted" : "pending" };
}
