import { test } from "vitest";
import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { call, SCOPE } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postgresMissing, sessionOptions, startPostgres } from "../support/postgres.ts";
import { redisMissing, redisOptions, redisTakesWrites, startRedis } from "../support/redis.ts";
import { sqliteTakesWrites } from "../support/sessions.ts";
import { LEASE_MS, PENDING_MAX, sessionStoreContract } from "./session-store.ts";

const limits = { leaseMs: LEASE_MS, pendingMax: PENDING_MAX };

sessionStoreContract("sqlite", async () => {
  const folder = temporaryFolder();
  const file = folder.file("sessions.db");
  const database = Database.open(file);
  return {
    store: createSqliteSessionStore(database, limits),
    takesWrites: (does) => sqliteTakesWrites(file, does),
    async forgetting(ttlMs) {
      const store = createSqliteSessionStore(database, { ...limits, ttlMs });
      // It ends the purging: what is forgotten is in the file still.
      await store.close?.();
      return store;
    },
    async close() {
      await database.close();
      folder.remove();
    },
  };
});

if (redisMissing) test.skip(`session store: redis (${redisMissing})`, () => undefined);
else {
  sessionStoreContract("redis", async () => {
    const server = await startRedis();
    const store = await openRedisSessionStore({ ...redisOptions(server.url), ...limits });
    return {
      store,
      takesWrites: async (does) => redisTakesWrites([server], does),
      forgetting: (ttlMs) => openRedisSessionStore({ ...redisOptions(server.url), ...limits, ttlMs }),
      async close() {
        await store.close?.();
        await server.close();
      },
    };
  });
}

if (postgresMissing) test.skip(`session store: postgres (${postgresMissing})`, () => undefined);
else {
  sessionStoreContract("postgres", async () => {
    const server = await startPostgres();
    const store = await openPostgresSessionStore({ ...sessionOptions(server.url), ...limits });
    // Makes the tables.
    await store.load(SCOPE, "first", 1, call());
    await server.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$`);
    return {
      store,
      forgetting: (ttlMs) => openPostgresSessionStore({ ...sessionOptions(server.url), ...limits, ttlMs }),
      async takesWrites(does) {
        await server.query(
          does
            ? "DROP TRIGGER refused ON ragline.sessions"
            : "CREATE TRIGGER refused BEFORE INSERT OR UPDATE ON ragline.sessions EXECUTE FUNCTION refuse()",
        );
      },
      async close() {
        await store.close?.();
        await server.close();
      },
    };
  });
}
