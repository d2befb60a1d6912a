import type { Asked, SessionStore } from "../../ports/session-store.ts";
import {
  type FinishReason,
  groupsInOrder,
  type PendingTurn,
  type Scope,
  type Session,
  type Turn,
} from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import type { SqlValue, Statement } from "../sqlite/writer.ts";
import { nearest, toBytes } from "./nearest.ts";
import { Recording } from "./recording.ts";
import { emptySession, lacksGroups, mayRead, neverBegun, storedId, tooManyPending } from "./shared.ts";
import { groupsOf, idsOf, type OfGroups, pageOfUser } from "./sqlite-lists.ts";
import { purgeSessions } from "./sqlite-purge.ts";
import * as sql from "./sqlite-statements.ts";
import { type UnrecordedQuestion, UnrecordedQuestions } from "./unrecorded.ts";

export interface SqliteSessionOptions {
  /** How long a question may be pending before it counts as interrupted. */
  readonly leaseMs: number;
  /** Questions pending at once in one session. */
  readonly pendingMax: number;
  /** A conversation that nobody goes on with for so long is forgotten; absent: none is. */
  readonly ttlMs?: number;
}

/** Sessions deleted in one transaction, during which nobody else writes. */
const DELETED_AT_ONCE = 50;

interface SessionRow extends OfGroups {
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

type TurnRow = Omit<Turn, "short" | "sources" | "finishReason"> & {
  readonly short: number;
  readonly sources: string | null;
  readonly finishReason: FinishReason | null;
};
type PendingRow = Omit<PendingTurn, "status"> & { readonly expiresAt: number };

/**
 * Conversations in the embedded database: read on this thread, written by the database's writer. An answer does not wait for its
 * question to be recorded, so there are turns whose question could not be: this process remembers those, and that it has deleted their
 * session. A deletion by another process shows in the session's version, or by its absence, where there was a session when the question came.
 */
export function createSqliteSessionStore(database: Database, options: SqliteSessionOptions): SessionStore {
  // The writer's thread takes some 100 ms to start: not the first question's.
  database.write([]).catch(() => undefined);
  const { ttlMs = Number.POSITIVE_INFINITY } = options;
  const stopPurging = purgeSessions(database, ttlMs);
  const unrecorded = new UnrecordedQuestions();
  const reading = sql.reading((table, column) => database.get(sql.HAS_COLUMN, table, column) !== undefined);
  const recording = new Recording();
  const load = (scope: Scope, id: string, turnsMax: number, now = Date.now()): Session => {
    const row = database.get<SessionRow>(sql.FIND, ...keyOf(scope, id), now - ttlMs);
    if (!row) return emptySession(id);
    if (!mayRead(scope, groupsOf(row))) throw lacksGroups();
    const from = Math.max(row.summarized_turns, row.turn_count - turnsMax);
    return {
      id,
      version: row.version,
      summary: row.summary,
      summarizedTurns: row.summarized_turns,
      entities: JSON.parse(row.entities),
      turns: database.all<TurnRow>(reading.shown, row.row, from, row.turn_count).map(toTurn),
      pending: database.all<PendingRow>(sql.PENDING, row.row).map(toPending),
      turnCount: row.turn_count,
      totalTokens: row.total_tokens,
      recall:
        row.recall_model && row.recall_up_to !== null ? { model: row.recall_model, upTo: row.recall_up_to } : null,
    };
  };

  const isClosedTo = (scope: Scope, id: string) => {
    const row = database.get<SessionRow>(sql.SESSION, ...keyOf(scope, id));
    return row !== undefined && !mayRead(scope, groupsOf(row));
  };

  /** Nothing where it is closed to the scope. */
  const readOpen = <T extends object>(scope: Scope, id: string, statement: string, values: SqlValue[]): T[] =>
    database.snapshot(() => (isClosedTo(scope, id) ? [] : database.all<T>(statement, ...values)));

  /** The writer counts as well, for questions that other processes record meanwhile; but what it refuses is answered all the same. */
  const expectRoom = (key: Key, requestId: string, pending: readonly PendingTurn[]) => {
    const ids = new Set(recording.of(key));
    for (const one of pending) if (one.status === "pending") ids.add(one.requestId);
    if (ids.size < options.pendingMax || ids.has(requestId) || database.get(sql.IS_KNOWN, ...key, requestId)) return;
    throw tooManyPending(options.pendingMax);
  };
  const record = async (scope: Scope, id: string, { requestId, question, tokens }: Asked) => {
    const [key, now] = [keyOf(scope, id), Date.now()];
    const written = await database.write([
      { sql: sql.FORGET, values: [...key, now - ttlMs] },
      mayAsk(key, scope),
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
      ...joining(key, scope),
      { sql: sql.TOUCH, values: key },
    ]);
    if (!written && !database.get(sql.IS_KNOWN, ...key, requestId)) {
      throw isClosedTo(scope, id) ? lacksGroups() : tooManyPending(options.pendingMax);
    }
    unrecorded.remove(key, requestId);
  };
  /** Lets its turn in all the same: into the session that the question found, or a new one where it found none. */
  const admit = (key: Key, { version, askedAtMs }: UnrecordedQuestion): Statement[] => [
    { sql: sql.FORGET, values: [...key, askedAtMs - ttlMs] },
    version > 0
      ? { sql: sql.IS_SAME, values: [...key, version, Math.max(version, 1000 * askedAtMs) + 1000], guard: true }
      : { sql: sql.CREATE, values: [...key, Date.now() * 1000] },
  ];

  return {
    async begin(scope, id, asked, turnsMax) {
      const [key, askedAtMs] = [keyOf(scope, id), Date.now()];
      const session = database.snapshot(() => load(scope, id, turnsMax, askedAtMs));
      expectRoom(key, asked.requestId, session.pending);
      unrecorded.add(key, asked.requestId, { version: session.version, askedAtMs });
      return { session, recorded: recording.until(record(scope, id, asked), key, asked.requestId) };
    },

    async renew(scope, id, requestId) {
      await database.write([
        { sql: sql.RENEW, values: [...keyOf(scope, id), requestId, Date.now() + options.leaseMs] },
      ]);
    },

    async finish(scope, id, { requestId, question, query, answer, status, tokens, at, sources, finishReason }) {
      const key = keyOf(scope, id);
      const cited = sources ? JSON.stringify(sources) : null;
      const turn = [...key, requestId, tokens, status, question, query, answer, at, cited, finishReason ?? null];
      const unrecordedYet = unrecorded.find(key, requestId);
      const isKnown: Statement = { sql: sql.IS_KNOWN, values: [...key, requestId], guard: true };
      const written = await database.write([
        ...(unrecordedYet ? [...admit(key, unrecordedYet), mayAsk(key, scope)] : [isKnown]),
        // Whoever began the turn first may have had fewer groups.
        ...joining(key, scope),
        { sql: sql.COUNT_FINISHED, values: turn.slice(0, 6) },
        { sql: sql.COMPLETE, values: turn },
        { sql: sql.FINISH, values: turn },
        { sql: sql.DROP_PENDING, values: [...key, requestId] },
      ]);
      unrecorded.remove(key, requestId);
      if (!written) throw unrecordedYet && isClosedTo(scope, id) ? lacksGroups() : neverBegun();
    },

    load: async (scope, id, turnsMax) => database.snapshot(() => load(scope, id, turnsMax)),

    async turns(scope, id, numbers) {
      const values = [...keyOf(scope, id), Date.now() - ttlMs, JSON.stringify(numbers)];
      return readOpen<TurnRow>(scope, id, reading.originals, values).map(toTurn);
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
      const values = [...keyOf(scope, id), Date.now() - ttlMs, model];
      const stored = readOpen<{ number: number; vector: Uint8Array }>(scope, id, sql.VECTORS, values);
      return nearest(vector, stored, limit);
    },

    problem: () => database.problem,
    close: async () => stopPurging(),

    list: (scope, page, { signal }) => pageOfUser(database, scope, page, Date.now() - ttlMs, signal),

    async delete(scope, id) {
      if (isClosedTo(scope, id)) return false;
      const key = keyOf(scope, id);
      const putBack = unrecorded.removeOf(key);
      try {
        const groups = JSON.stringify(scope.groups);
        const changes = await database.write([{ sql: sql.DELETE, values: [...key, groups] }]);
        // Somebody with other groups may have begun it just now.
        if (isClosedTo(scope, id)) putBack();
        return changes?.[0] === 1;
      } catch (thrown) {
        putBack();
        throw thrown;
      }
    },

    async deleteAll({ tenant, collection, user }, { signal }) {
      const ids = idsOf(user);
      const putBack = unrecorded.removeAll([tenant, collection], ids[0]);
      let all = 0;
      try {
        for (;;) {
          signal.throwIfAborted();
          const values = [tenant, collection, ...ids, DELETED_AT_ONCE];
          const [deleted = 0] = (await database.write([{ sql: sql.DELETE_SOME, values }])) ?? [];
          all += deleted;
          if (deleted < DELETED_AT_ONCE) return all;
        }
      } catch (thrown) {
        if (all === 0) putBack();
        throw thrown;
      }
    },
  };
}

type Key = readonly [tenant: string, collection: string, id: string];

function keyOf(scope: Scope, id: string): Key {
  return [scope.tenant, scope.collection, storedId(scope, id)];
}

/** Guards what is written after it. */
function mayAsk(key: Key, { groups }: Scope): Statement {
  return { sql: sql.MAY_ASK, values: [...key, JSON.stringify(groups)], guard: true };
}

function joining(key: Key, scope: Scope): Statement[] {
  return scope.groups.length === 0
    ? []
    : [{ sql: sql.JOIN, values: [...key, JSON.stringify(groupsInOrder(scope.groups))] }];
}

function toTurn({ sources, finishReason, ...row }: TurnRow): Turn {
  return {
    ...row,
    short: row.short === 1,
    ...(finishReason !== null && { finishReason }),
    ...(sources !== null && { sources: JSON.parse(sources) }),
  };
}

function toPending({ expiresAt, ...turn }: PendingRow): PendingTurn {
  return { ...turn, status: expiresAt <= Date.now() ? "interrupted" : "pending" };
}
