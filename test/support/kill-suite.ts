import { expect, onTestFinished, test } from "vitest";
import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { folderForTest } from "./folder.ts";
import { type KilledStore, killAtRandom } from "./killed-sessions.ts";
import { postgresMissing, sessionOptions, startPostgres } from "./postgres.ts";
import { redisMissing, redisOptions, startRedis } from "./redis.ts";

/** `kill -9` at `rounds` random moments of a process that writes to both stores. */
export function killSuite(rounds: number): void {
  const missing = [redisMissing, postgresMissing].filter((reason) => reason !== null);
  const leftOut = missing.length > 0 ? ` (left out: ${missing.join("; ")})` : "";
  const title = `kill -9 at ${rounds} random moments, sqlite, redis and postgres${leftOut}: `;
  test(`${title}nothing acknowledged is lost, nothing doubled`, { timeout: 5000 * rounds }, async () => {
    const file = folderForTest().file("sessions.db");
    const database = Database.open(file);
    onTestFinished(() => database.close());
    const sqlite = createSqliteSessionStore(database, { leaseMs: 60_000, pendingMax: 64 });
    const stores: Record<string, KilledStore> = { sqlite: { store: sqlite, place: file } };
    if (postgresMissing === null) {
      const server = await startPostgres();
      const postgres = await openPostgresSessionStore(sessionOptions(server.url));
      onTestFinished(async () => {
        await postgres.close?.();
        await server.close();
      });
      stores.postgres = { store: postgres, place: server.url };
    }
    if (redisMissing === null) {
      const server = await startRedis();
      const redis = await openRedisSessionStore(redisOptions(server.url));
      onTestFinished(async () => {
        await redis.close?.();
        await server.close();
      });
      stores.redis = { store: redis, place: server.url };
    }
    const total = await killAtRandom(stores, rounds);
    console.info(`acknowledged: ${JSON.stringify(Object.fromEntries(total))}`);
    for (const { begun } of total.values()) expect(begun).toBeGreaterThan(rounds);
  });
}
