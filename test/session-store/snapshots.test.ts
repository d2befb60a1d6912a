import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { call, SCOPE, scope, until } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { postgresMissing, sessionOptions, startPostgres } from "../support/postgres.ts";
import { append, begin, turn } from "../support/sessions.ts";

const LIMITS = { leaseMs: 60_000, pendingMax: 64 };
const HR = scope({ groups: ["hr"] });
const SLEEPING = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
const SECRET = "7퍼센트가 맞나요?";

test("SQLite: what somebody with groups asks while a session is read is not in it", async () => {
  const file = folderForTest().file("sessions.db");
  const database = Database.open(file);
  const store = createSqliteSessionStore(database, LIMITS);
  const other = new DatabaseSync(file);
  onTestFinished(async () => {
    other.close();
    await database.close();
  });
  const get = database.get.bind(database);
  const reads = {
    load: async (id: string) => (await store.load(SCOPE, id, 10, call())).pending,
    begin: async (id: string) => {
      const begun = await store.begin(SCOPE, id, { requestId: id, question: "q", tokens: 1 }, 10, call());
      await begun.recorded.catch(() => undefined);
      return begun.session.pending;
    },
    turns: (id: string) => store.turns(SCOPE, id, [1, 2], call()),
  };
  for (const [id, read] of Object.entries(reads)) {
    await append(store, id, turn());
    let isToCome = true;
    // Between the look at the session and what is read of it.
    database.get = (<T extends object>(sql: string, ...values: Parameters<typeof get>[1][]) => {
      const row = get<T>(sql, ...values);
      if (isToCome && sql.includes("FROM sessions")) {
        isToCome = false;
        other.exec(`BEGIN; UPDATE sessions SET groups = '["hr"]', turn_count = 2 WHERE id = '${id}';
          INSERT INTO turns SELECT session, 2, 'other', '${SECRET}', query, answer, status, tokens, at, NULL, NULL, NULL, NULL, NULL
            FROM turns JOIN sessions ON row = session WHERE id = '${id}';
          INSERT INTO pending_turns SELECT row, 'pending', '${SECRET}', 1, '2025-01-01T00:00:00Z', 9e15 FROM sessions WHERE id = '${id}'; COMMIT`);
      }
      return row;
    }) as typeof get;
    const found = await read(id);
    database.get = get;
    expect(isToCome).toBe(false);
    expect(JSON.stringify(found)).not.toContain(SECRET);
    await expect(store.load(SCOPE, id, 10, call())).rejects.toMatchObject({ code: "forbidden" });
    expect(JSON.stringify(await store.load(HR, id, 10, call()))).toContain(SECRET);
  }
});

test.skipIf(postgresMissing)("PostgreSQL: nor there", async () => {
  const server = await startPostgres();
  const store = await openPostgresSessionStore({ ...sessionOptions(server.url), ...LIMITS });
  await append(store, "one", turn());
  // Between the look at the session and what is read of it.
  await server.query(`ALTER TABLE ragline.sessions ENABLE ROW LEVEL SECURITY; ALTER TABLE ragline.sessions FORCE ROW LEVEL SECURITY;
    CREATE POLICY slow ON ragline.sessions USING (pg_sleep(0.3)::text = '')`);
  const loading = store.load(SCOPE, "one", 10, call());
  await until("it looks", async () => (await server.query(SLEEPING)).length > 0);
  await server.query(`SET search_path TO ragline; BEGIN; UPDATE sessions SET groups = '{hr}';
    INSERT INTO pending_turns (session, request_id, tokens, turn, expires_at)
      SELECT row, 'pending', 1, '{"question":"${SECRET}"}', 'infinity' FROM sessions; COMMIT`);
  expect(await loading).toMatchObject({ turnCount: 1, pending: [] });
  await expect(begin(store, "one", turn())).rejects.toMatchObject({ code: "forbidden" });
  await store.close?.();
  await server.close();
});
