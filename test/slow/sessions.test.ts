import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { openRedisVectorCache } from "../../src/adapters/vector-cache/redis.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { LEASE_MS, PENDING_MAX, sessionStoreContract } from "../contract/session-store.ts";
import { vectorCacheContract } from "../contract/vector-cache.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import {
  freePort,
  type RedisServer,
  redisMissing,
  redisOptions,
  redisTakesWrites,
  startRedis,
  vectorCacheOptions,
} from "../support/redis.ts";
import { type Sentinels, startSentinels } from "../support/sentinels.ts";
import { append, turn } from "../support/sessions.ts";

const limits = { leaseMs: LEASE_MS, pendingMax: PENDING_MAX };

/** Says a turn again and again until the store takes it. @returns how long that took, ms */
async function insisting(store: SessionStore, id: string): Promise<number> {
  const startedAt = performance.now();
  const one = turn();
  await until(
    "the turn is stored",
    () =>
      append(store, id, one).then(
        () => true,
        () => false,
      ),
    15_000,
  );
  return performance.now() - startedAt;
}

/** Turns before, across and after the loss of a master: all that were acknowledged are there. */
async function survivesFailover(store: SessionStore, killMaster: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 5; i++) await append(store, "failover", turn());
  await sleep(1500);
  await killMaster();
  const gapMs = await insisting(store, "failover");
  console.info(`writes stood still for ${Math.round(gapMs)} ms`);
  for (let i = 0; i < 5; i++) await append(store, "failover", turn());
  const { turnCount, pending } = await store.load(SCOPE, "failover", 100, call());
  expect({ turnCount, pending }).toEqual({ turnCount: 11, pending: [] });
}

describe.skipIf(redisMissing !== null)("Sentinel", () => {
  let watched: Sentinels;

  beforeAll(async () => {
    watched = await startSentinels();
  });
  afterAll(async () => {
    await watched.close();
  });

  const open = (more: { readonly ttlMs?: number } = {}) =>
    openRedisSessionStore({ ...redisOptions(watched.url), topology: "sentinel", ...limits, ...more });
  vectorCacheContract("redis behind sentinels", async () => {
    const cache = await openRedisVectorCache({ ...vectorCacheOptions(watched.url), topology: "sentinel" });
    return { cache, close: async () => cache.close?.() };
  });

  sessionStoreContract("redis behind sentinels", async () => {
    const store = await open();
    const takesWrites = async (does: boolean) => redisTakesWrites(watched.servers, does);
    const forgetting = (ttlMs: number) => open({ ttlMs });
    return { store, takesWrites, forgetting, close: async () => store.close?.() };
  });

  test("the master is killed: another takes over, and nothing acknowledged is lost", { timeout: 60_000 }, async () => {
    const store = await openRedisSessionStore({ ...redisOptions(watched.url), topology: "sentinel", timeoutMs: 400 });
    await survivesFailover(store, async () => watched.servers[0]?.kill());
    await store.close?.();
  });

  // Last: sentinels that hung choose no master for half a minute.
  test("a sentinel hangs: conversations stand still for a moment, not for as long as it hangs", {
    timeout: 60_000,
  }, async () => {
    for (const hung of watched.sentinels) {
      const store = await open();
      await append(store, "hung", turn());
      hung.signal("SIGSTOP");
      let failedMs = 0;
      for (const startedAt = performance.now(); performance.now() - startedAt < 8000; await sleep(100)) {
        const askedAt = performance.now();
        await store.load(SCOPE, "hung", 1, call()).catch(() => {
          failedMs += performance.now() - askedAt + 100;
        });
      }
      hung.signal("SIGCONT");
      expect(failedMs).toBeLessThan(3000);
      await store.close?.();
    }
  });
});

describe.skipIf(redisMissing !== null)("Cluster", () => {
  const nodes: RedisServer[] = [];
  let url = "";

  beforeAll(async () => {
    for (let i = 0; i < 6; i++) {
      const options = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "500",
        "--cluster-port",
        `${await freePort()}`,
      ];
      nodes.push(await startRedis(options));
    }
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    execFileSync("redis-cli", ["--cluster", "create", ...addresses, "--cluster-replicas", "1", "--cluster-yes"]);
    await until(
      "the cluster is well",
      () => nodes.every((node) => node.cli("CLUSTER", "INFO").includes("cluster_state:ok")),
      30_000,
    );
    await sleep(3000);
    url = `redis://${addresses.slice(0, 3).join(",")}`;
  });
  afterAll(async () => {
    for (const one of nodes) await one.close();
  });

  vectorCacheContract("redis cluster", async () => {
    const cache = await openRedisVectorCache({ ...vectorCacheOptions(url), topology: "cluster" });
    return { cache, close: async () => cache.close?.() };
  });

  sessionStoreContract("redis cluster", async () => {
    const options = { ...redisOptions(url), topology: "cluster", ...limits } as const;
    const store = await openRedisSessionStore(options);
    const takesWrites = async (does: boolean) => redisTakesWrites(nodes, does);
    const forgetting = (ttlMs: number) => openRedisSessionStore({ ...options, ttlMs });
    return { store, takesWrites, forgetting, close: async () => store.close?.() };
  });

  const masterOf = (id: string) => {
    const slot = Number(nodes[0]?.cli("CLUSTER", "KEYSLOT", `test:acme:handbook:${id}`));
    return nodes.find((node) => node.alive() && owns(node.cli("CLUSTER", "NODES"), slot));
  };

  test("a master changes places with its replica: turns are confirmed as before", { timeout: 60_000 }, async () => {
    const options = { ...redisOptions(url), replicasMin: 1, replicasTimeoutMs: 1000 };
    const store = await openRedisSessionStore({ ...options, topology: "cluster" });
    await append(store, "moved", turn());
    const before = masterOf("moved");
    const isReplica = (node: RedisServer) =>
      node.cli("INFO", "replication").includes(`role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:${before?.port}\r`);
    nodes.find(isReplica)?.cli("CLUSTER", "FAILOVER");
    await until("the slot is another's", () => ![before, undefined].includes(masterOf("moved")), 10_000);
    await until("a replica follows it", () =>
      /connected_slaves:1/.test(masterOf("moved")?.cli("INFO", "replication") ?? ""),
    );
    for (let i = 0; i < 3; i++) await append(store, "moved", turn());
    expect((await store.load(SCOPE, "moved", 100, call())).turnCount).toBe(4);
    await store.close?.();
  });

  test("a master is killed: its replica takes over, and nothing acknowledged is lost", {
    timeout: 60_000,
  }, async () => {
    const store = await openRedisSessionStore({ ...redisOptions(url), topology: "cluster", timeoutMs: 400 });
    await append(store, "failover-probe", turn());
    const master = masterOf("failover");
    await survivesFailover(store, async () => master?.kill());
    await store.close?.();
  });
});

/** Whether the node that printed this owns the slot. */
function owns(listing: string, slot: number): boolean {
  const ranges = /myself,master .*?connected (.*)/.exec(listing)?.[1]?.split(" ") ?? [];
  return ranges.some((range) => {
    const [from = Number.NaN, to = from] = range.split("-").map(Number);
    return from <= slot && slot <= to;
  });
}
