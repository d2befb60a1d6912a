import { RaglineError } from "../../errors.ts";
import type { SessionStore } from "../../ports/session-store.ts";
import type { Scope, Session, Turn } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";

interface SessionRow {
  readonly row: number;
  readonly version: number;
  readonly summary: string;
  readonly summarized_turns: number;
  readonly turn_count: number;
  readonly total_tokens: number;
}

const FIND = "SELECT * FROM sessions WHERE tenant = ? AND collection = ? AND id = ?";
const TURNS = `SELECT request_id AS requestId, question, query, answer, status, tokens, at FROM turns
  WHERE session = ? AND number > ? AND number <= ? ORDER BY number DESC LIMIT ?`;
const CREATE = "INSERT INTO sessions (tenant, collection, id, version) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING";
const IS_NEW = `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM turns JOIN sessions s ON s.row = turns.session
  WHERE s.tenant = ? AND s.collection = ? AND s.id = ? AND turns.request_id = ?)`;
const APPEND = `INSERT INTO turns (session, number, request_id, question, query, answer, status, tokens, at)
  SELECT row, turn_count + 1, ?, ?, ?, ?, ?, ?, ? FROM sessions WHERE tenant = ? AND collection = ? AND id = ?`;
const COUNT = `UPDATE sessions SET version = version + 1, turn_count = turn_count + 1, total_tokens = total_tokens + ?
  WHERE tenant = ? AND collection = ? AND id = ?`;
const REPLACE = `UPDATE sessions SET version = version + 1, summary = ?, summarized_turns = ?
  WHERE tenant = ? AND collection = ? AND id = ? AND version = ?`;
const DELETE = "DELETE FROM sessions WHERE tenant = ? AND collection = ? AND id = ?";

/** Conversations in the embedded database. */
export function createSqliteSessionStore(database: Database): SessionStore {
  const find = (scope: Scope, id: string) => database.get<SessionRow>(FIND, scope.tenant, scope.collection, id);
  return {
    async load(scope, id, turnsMax): Promise<Session> {
      const row = find(scope, id);
      if (!row) return { id, version: 0, summary: "", summarizedTurns: 0, turns: [], turnCount: 0, totalTokens: 0 };
      return {
        id,
        version: row.version,
        summary: row.summary,
        summarizedTurns: row.summarized_turns,
        turns: database.all<Turn>(TURNS, row.row, row.summarized_turns, row.turn_count, turnsMax).reverse(),
        turnCount: row.turn_count,
        totalTokens: row.total_tokens,
      };
    },

    async append(scope, id, turn) {
      const key = [scope.tenant, scope.collection, id] as const;
      const { requestId, question, query, answer, status, tokens, at } = turn;
      await database.write([
        { sql: IS_NEW, values: [...key, requestId], guard: true },
        { sql: CREATE, values: key },
        { sql: APPEND, values: [requestId, question, query, answer, status, tokens, at, ...key] },
        { sql: COUNT, values: [tokens, ...key] },
      ]);
    },

    async replace(scope, id, version, { summary, summarizedTurns }) {
      if (summarizedTurns < 0) throw new RaglineError("request_invalid", "summarizedTurns: below 0");
      const values = [summary, summarizedTurns, scope.tenant, scope.collection, id, version];
      const changes = await database.write([{ sql: REPLACE, values }]);
      return changes?.[0] === 1;
    },

    async delete(scope, id) {
      const changes = await database.write([{ sql: DELETE, values: [scope.tenant, scope.collection, id] }]);
      return changes?.[0] === 1;
    },
  };
}
