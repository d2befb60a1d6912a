import { test } from "vitest";
import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postgresMissing, sessionOptions, startPostgres } from "../support/postgres.ts";
import { redisMissing, redisOptions, startRedis } from "../support/redis.ts";
import { LEASE_MS, PENDING_MAX, sessionStoreContract } from "./session-store.ts";

const limits = { leaseMs: LEASE_MS, pendingMax: PENDING_MAX };

sessionStoreContract("sqlite", async () => {
  const folder = temporaryFolder();
  const database = Database.open(folder.file("sessions.db"));
  return {
    store: createSqliteSessionStore(database, limits),
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
    return {
      store,
      async close() {
        await store.close?.();
        await server.close();
      },
    };
  });
}
