import type { SessionStore } from "../../ports/session-store.ts";
import type { PendingTurn, Scope, Session, Turn } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import type { Statement } from "../sqlite/writer.ts";
import { nearest, toBytes } from "./nearest.ts";
import { emptySession, neverBegun, tooManyPending } from "./shared.ts";
import { purgeSessions } from "./sqlite-purge.ts";
import * as sql from "./sqlite-statements.ts";

export interface SqliteSessionOptions {
  /** How long a question may be pending before it counts as interrupted. */
  readonly leaseMs: number;
  /** Questions pending at once in one session. */
  readonly pendingMax: number;
  /** A conversation that nobody goes on with for so long is forgotten; absent: none is. */
  readonly ttlMs?: number;
}

interface SessionRow {
  readonly row: number;
  readonly version: number;
  readonly summary: string;
  readonly summarized_turns: number;
  readonly entities: string;
  readonly turn_count: number;
  readonly total_tokens: number;
  readonly recall_model: string | null;
  readonly recall_up_to: number | null;
}

type TurnRow = Omit<Turn, "short"> & { readonly short: number };
type PendingRow = Omit<PendingTurn, "status"> & { readonly expiresAt: number };

/** Conversations in the embedded database: read on this thread, written by the database's writer. */
export function createSqliteSessionStore(database: Database, options: SqliteSessionOptions): SessionStore {
  // The writer's thread takes some 100 ms to start: not the first question's.
  database.write([]).catch(() => undefined);
  const { ttlMs = Number.POSITIVE_INFINITY } = options;
  const stopPurging = purgeSessions(database, ttlMs);
  const load = (scope: Scope, id: string, turnsMax: number): Session => {
    const row = database.get<SessionRow>(sql.FIND, ...keyOf(scope, id), Date.now() - ttlMs);
    if (!row) return emptySession(id);
    const from = Math.max(row.summarized_turns, row.turn_count - turnsMax);
    return {
      id,
      version: row.version,
      summary: row.summary,
      summarizedTurns: row.summarized_turns,
      entities: JSON.parse(row.entities),
      turns: database.all<TurnRow>(sql.SHOWN, row.row, from, row.turn_count).map(toTurn),
      pending: database.all<PendingRow>(sql.PENDING, row.row).map(toPending),
      turnCount: row.turn_count,
      totalTokens: row.total_tokens,
      recall:
        row.recall_model && row.recall_up_to !== null ? { model: row.recall_model, upTo: row.recall_up_to } : null,
    };
  };

  const record = async (key: Key, { requestId, question, tokens }: Parameters<SessionStore["begin"]>[2]) => {
    const now = Date.now();
    const written = await database.write([
      { sql: sql.FORGET, values: [...key, now - ttlMs] },
      { sql: sql.CREATE, values: [...key, now * 1000] },
      { sql: sql.KEEP_ABANDONED, values: [...key, now] },
      { sql: sql.COUNT_ABANDONED, values: [...key, now] },
      { sql: sql.DROP_ABANDONED, values: [...key, now] },
      { sql: sql.HAS_ROOM, values: [...key, options.pendingMax], guard: true },
      { sql: sql.IS_UNKNOWN, values: [...key, requestId], guard: true },
      {
        sql: sql.RECORD,
        values: [...key, requestId, question, tokens, new Date(now).toISOString(), now + options.leaseMs],
      },
      { sql: sql.TOUCH, values: key },
    ]);
    if (written || database.get(sql.IS_KNOWN, ...key, requestId)) return;
    throw tooManyPending(options.pendingMax);
  };

  return {
    async begin(scope, id, asked, turnsMax) {
      const session = load(scope, id, turnsMax);
      return { session, recorded: record(keyOf(scope, id), asked) };
    },

    async renew(scope, id, requestId) {
      await database.write([
        { sql: sql.RENEW, values: [...keyOf(scope, id), requestId, Date.now() + options.leaseMs] },
      ]);
    },

    async finish(scope, id, { requestId, question, query, answer, status, tokens, at }) {
      const key = keyOf(scope, id);
      const turn = [...key, requestId, tokens, status, question, query, answer, at];
      const written = await database.write([
        { sql: sql.IS_KNOWN, values: [...key, requestId], guard: true },
        { sql: sql.COUNT_FINISHED, values: turn.slice(0, 6) },
        { sql: sql.COMPLETE, values: turn },
        { sql: sql.FINISH, values: turn },
        { sql: sql.DROP_PENDING, values: [...key, requestId] },
      ]);
      if (!written) throw neverBegun();
    },

    load: async (scope, id, turnsMax) => load(scope, id, turnsMax),

    async turns(scope, id, numbers) {
      return database.all<TurnRow>(sql.ORIGINALS, ...keyOf(scope, id), JSON.stringify(numbers)).map(toTurn);
    },

    async replace(scope, id, version, { summary, summarizedTurns, entities, short = [], recall }) {
      const key = keyOf(scope, id);
      const model = recall?.model ?? null;
      const statements: Statement[] = [
        { sql: sql.MAY_REPLACE, values: [...key, version, summarizedTurns ?? null], guard: true },
      ];
      if (recall) statements.push({ sql: sql.DROP_OTHER_VECTORS, values: [...key, model] });
      const entitiesJson = entities ? JSON.stringify(entities) : null;
      statements.push({
        sql: sql.REPLACE,
        values: [...key, summary ?? null, summarizedTurns ?? null, entitiesJson, model],
      });
      for (const { number, question, answer, tokens } of short) {
        statements.push({ sql: sql.SHORTEN, values: [...key, number, question, answer, tokens] });
      }
      for (const { number, vector } of recall?.vectors ?? []) {
        statements.push({ sql: sql.REMEMBER, values: [...key, number, toBytes(vector)] });
      }
      return (await database.write(statements)) !== null;
    },

    async recall(scope, id, { model, vector, limit }) {
      const stored = database.all<{ number: number; vector: Uint8Array }>(sql.VECTORS, ...keyOf(scope, id), model);
      return nearest(vector, stored, limit);
    },

    problem: () => database.problem,
    close: async () => stopPurging(),

    async delete(scope, id) {
      const changes = await database.write([{ sql: sql.DELETE, values: keyOf(scope, id) }]);
      return changes?.[0] === 1;
    },
  };
}

type Key = readonly [tenant: string, collection: string, id: string];

function keyOf({ tenant, collection }: Scope, id: string): Key {
  return [tenant, collection, id];
}

function toTurn(row: TurnRow): Turn {
  return { ...row, short: row.short === 1 };
}

function toPending({ expiresAt, ...turn }: PendingRow): PendingTurn {
  return { ...turn, status: expiresAt <= Date.now() ? "interrupted" : "pending" };
}
