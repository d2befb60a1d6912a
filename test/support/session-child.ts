import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { call, SCOPE } from "./calls.ts";
import { begin, turn } from "./sessions.ts";

/** `node session-child.ts <place as JSON> <session id>`: turn after turn in three lanes; says `b <id>` and `f <id>` as each is acknowledged. */
const [place = "{}", id = ""] = process.argv.slice(2);
const { sqlite, redis } = JSON.parse(place) as { sqlite?: string; redis?: string };
const limits = { leaseMs: 60_000, pendingMax: 64 };
const store: SessionStore =
  sqlite !== undefined
    ? createSqliteSessionStore(Database.open(sqlite), limits)
    : await openRedisSessionStore({
        ...limits,
        url: redis ?? "",
        topology: "single",
        sentinelMaster: "",
        keyPrefix: "test:",
        ttlMs: 600_000,
        timeoutMs: 5000,
      });

async function converse(lane: number): Promise<void> {
  for (let i = 0; ; i++) {
    const one = turn({ requestId: `${lane}-${i}`, answer: "답" });
    await begin(store, id, one);
    process.stdout.write(`b ${one.requestId}\n`);
    await store.finish(SCOPE, id, one, call());
    process.stdout.write(`f ${one.requestId}\n`);
  }
}

for (let lane = 0; lane < 3; lane++) void converse(lane);
