import { describe, expect, test } from "vitest";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { folderForTest } from "./folder.ts";
import { killAtRandom } from "./killed-sessions.ts";
import { redisMissing, redisOptions, startRedis } from "./redis.ts";

/** `kill -9` at `rounds` random moments, on both stores. */
export function killSuite(rounds: number): void {
  describe(`kill -9 at ${rounds} random moments: nothing acknowledged is lost, nothing doubled`, () => {
    test("sqlite", { timeout: 5000 * rounds }, async () => {
      const file = folderForTest().file("sessions.db");
      const database = Database.open(file);
      const store = createSqliteSessionStore(database, { leaseMs: 60_000, pendingMax: 64 });
      expect((await killAtRandom(store, { sqlite: file }, rounds)).begun).toBeGreaterThan(rounds);
      await database.close();
    });

    test.skipIf(redisMissing !== null)(`redis${redisMissing ?? ""}`, { timeout: 5000 * rounds }, async () => {
      const server = await startRedis();
      const store = await openRedisSessionStore(redisOptions(server.url));
      const total = await killAtRandom(store, { redis: server.url }, rounds);
      expect(total.finished).toBeGreaterThan(rounds);
      await store.close?.();
      await server.close();
    });
  });
}
