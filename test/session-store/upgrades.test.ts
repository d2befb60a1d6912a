import { Client } from "pg";
import { describe, expect, test } from "vitest";
import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { call, SCOPE, scope, sleep, until } from "../support/calls.ts";
import { postgresMissing, sessionOptions, startPostgres } from "../support/postgres.ts";
import { type RedisServer, redisMissing, redisOptions, startRedis } from "../support/redis.ts";
import { append, turn } from "../support/sessions.ts";

const KIM = { ...SCOPE, user: "kim" };
const HR = scope({ groups: ["hr"] });
/** Makes tables and functions those of an older one. */
const AS_VERSION_1 = `SET search_path TO ragline;
  DROP FUNCTION session_load(text, text, text, text[], int, float8);
  DROP FUNCTION session_begin(text, text, text, text[], text, int, text, int, float8, float8, int);
  DROP FUNCTION session_finish(text, text, text, text[], text, text, int, text); ALTER FUNCTION session_view VOLATILE;
  DROP INDEX sessions_by_user; ALTER TABLE sessions DROP COLUMN groups; UPDATE sessions_schema SET version = 1`;
const LIMITS = { leaseMs: 60_000, pendingMax: 64 };

describe.skipIf(postgresMissing)("tables of version 1 in PostgreSQL", () => {
  test("are taken over by several processes at once, with what is in them", async () => {
    const server = await startPostgres();
    const first = await openPostgresSessionStore(sessionOptions(server.url));
    await append(first, "old", turn());
    await first.close?.();
    await server.query(AS_VERSION_1);
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresSessionStore(sessionOptions(server.url))));
    const loaded = await Promise.all(stores.map((store) => store.load(SCOPE, "old", 10, call())));
    for (const session of loaded) expect(session.turnCount).toBe(1);
    const [store] = stores;
    if (!store) throw new Error("no store");
    await append(store, "old", turn(), HR);
    await expect(store.load(SCOPE, "old", 10, call())).rejects.toMatchObject({ code: "forbidden" });
    await append(store, "new", turn(), KIM);
    expect((await store.list(KIM, { limit: 5 }, call())).sessions).toMatchObject([{ id: "new", turnCount: 1 }]);
    // Older processes still find what they know.
    expect(await server.query("SELECT version FROM ragline.sessions_schema")).toEqual([{ version: 1 }]);
    for (const one of stores) await one.close?.();
    await server.close();
  });

  test("are taken over while an older process finishes a turn: neither waits for the other for ever", async () => {
    const server = await startPostgres();
    const first = await openPostgresSessionStore(sessionOptions(server.url));
    await append(first, "old", turn());
    await first.close?.();
    await server.query(AS_VERSION_1);
    const older = new Client(server.url);
    await older.connect();
    // `session_finish`, as far as it locks.
    await older.query("BEGIN; SELECT FROM ragline.sessions WHERE id = 'old' FOR UPDATE");
    const store = await openPostgresSessionStore(sessionOptions(server.url));
    const loading = store.load(SCOPE, "old", 10, call());
    await until("it waits", async () => {
      const waiting = await server.query("SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'");
      return waiting.length > 0;
    });
    await older.query("UPDATE ragline.sessions SET turn_count = 7 WHERE id = 'old'; COMMIT");
    expect((await loading).turnCount).toBe(7);
    await older.end();
    await store.close?.();
    await server.close();
  });

  test("wait for a client that holds the table no longer than two seconds, and are taken over by the next call", async () => {
    const server = await startPostgres();
    const first = await openPostgresSessionStore(sessionOptions(server.url));
    await append(first, "old", turn());
    await first.close?.();
    await server.query(AS_VERSION_1);
    const holder = new Client(server.superuserUrl);
    await holder.connect();
    await holder.query("BEGIN; LOCK TABLE ragline.sessions IN ACCESS SHARE MODE");
    const store = await openPostgresSessionStore({ ...sessionOptions(server.url), timeoutMs: 30_000 });
    const began = performance.now();
    await expect(store.load(SCOPE, "old", 10, call())).rejects.toMatchObject({ retryable: true });
    expect(performance.now() - began).toBeLessThan(8000);
    await holder.end();
    expect((await store.load(SCOPE, "old", 10, call())).turnCount).toBe(1);
    await store.close?.();
    await server.close();
  });

  test("those of a version that is not known are refused", async () => {
    const server = await startPostgres();
    const first = await openPostgresSessionStore(sessionOptions(server.url));
    await first.load(SCOPE, "s", 1, call());
    await first.close?.();
    await server.query("UPDATE ragline.sessions_schema SET version = 9");
    const store = await openPostgresSessionStore(sessionOptions(server.url));
    await expect(store.load(SCOPE, "s", 1, call())).rejects.toThrow(/of version 9, these need 2: use another schema/);
    await store.close?.();
    await server.close();
  });
});

describe.skipIf(redisMissing)("a user's list in Redis", () => {
  test("keeps the latest 9,000 of more than 10,000 sessions, which live on unlisted", async () => {
    const server = await startRedis();
    const store = await openRedisSessionStore({ ...redisOptions(server.url), ...LIMITS });
    await append(store, "first", turn(), KIM);
    const [key = ""] = listsOf(server);
    const fields = Array.from({ length: 10_000 }, (_, i) => [`s-${i}`, `${1000 + i}`]);
    server.cli("HSET", key, ...fields.flat());
    await append(store, "last", turn(), KIM);
    expect(Number(server.cli("HLEN", key))).toBe(9_002);
    expect((await store.list(KIM, { limit: 5 }, call())).sessions.map(({ id }) => id)).toEqual(["last", "first"]);
    // Those that are gone have left the list, which was looked through for a page.
    expect(Number(server.cli("HLEN", key))).toBe(2);
    await store.close?.();
    await server.close();
  });

  test("lives as long as a session that is only paged through", async () => {
    const server = await startRedis();
    const store = await openRedisSessionStore({ ...redisOptions(server.url), ...LIMITS, ttlMs: 2000 });
    await append(store, "one", turn(), KIM);
    for (let i = 0; i < 5; i++) {
      await sleep(500);
      expect(await store.turns(KIM, "one", [1], call())).toHaveLength(1);
    }
    expect((await store.list(KIM, { limit: 5 }, call())).sessions).toMatchObject([{ id: "one" }]);
    await store.close?.();
    await server.close();
  });

  test("is looked through no further once whoever asked for it has left", async () => {
    const server = await startRedis();
    const store = await openRedisSessionStore({ ...redisOptions(server.url), ...LIMITS });
    await append(store, "one", turn(), KIM);
    const signal = AbortSignal.abort();
    await expect(store.list(KIM, { limit: 5 }, { signal })).rejects.toMatchObject({ name: "AbortError" });
    await store.close?.();
    await server.close();
  });

  test("goes on where it cannot be kept: the conversation does not need it", async () => {
    const server = await startRedis();
    const store = await openRedisSessionStore({ ...redisOptions(server.url), ...LIMITS });
    await append(store, "one", turn(), KIM);
    const [key = ""] = listsOf(server);
    server.cli("SET", key, "no list");
    await append(store, "one", turn(), KIM);
    expect((await store.load(KIM, "one", 5, call())).turnCount).toBe(2);
    await store.close?.();
    await server.close();
  });
});

function listsOf(server: RedisServer): string[] {
  return server
    .cli("KEYS", "*")
    .split("\n")
    .filter((name) => name.endsWith("/"));
}
