import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { call, SCOPE } from "./calls.ts";
import { append, begin, turn } from "./sessions.ts";

/**
 * `node session-child.ts <places as JSON> <session id>`: turn after turn in three lanes a store; says `<store> b <id>` and
 * `<store> f <id>` as each is acknowledged.
 */
const [places = "{}", id = ""] = process.argv.slice(2);
const { sqlite, redis, postgres } = JSON.parse(places) as { sqlite?: string; redis?: string; postgres?: string };
const limits = { leaseMs: 60_000, pendingMax: 64, replicasMin: 0, replicasTimeoutMs: 300 };

async function converse(name: string, store: SessionStore, lane: number): Promise<void> {
  for (let i = 0; ; i++) {
    const one = turn({ requestId: `${lane}-${i}`, answer: "답" });
    await begin(store, id, one);
    process.stdout.write(`${name} b ${one.requestId}\n`);
    await store.finish(SCOPE, id, one, call());
    process.stdout.write(`${name} f ${one.requestId}\n`);
  }
}

const stores: Record<string, SessionStore> = {};
if (sqlite !== undefined) stores.sqlite = createSqliteSessionStore(Database.open(sqlite), limits);
if (redis !== undefined) {
  const single = {
    topology: "single",
    sentinelMaster: "",
    keyPrefix: "test:",
    ttlMs: 600_000,
    timeoutMs: 5000,
  } as const;
  stores.redis = await openRedisSessionStore({ ...limits, ...single, url: redis });
}
if (postgres !== undefined) {
  const server = { url: postgres, tls: false, schema: "ragline", connectionsMax: 4 };
  stores.postgres = await openPostgresSessionStore({ ...limits, ...server, ttlMs: 600_000, timeoutMs: 5000 });
}
// Once all are warm, so that each is busy when the kill comes.
for (const store of Object.values(stores)) await append(store, "warm", turn({ requestId: id }));
for (const [name, store] of Object.entries(stores))
  for (let lane = 0; lane < 3; lane++) void converse(name, store, lane);
