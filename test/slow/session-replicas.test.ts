import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRedisSessionStore, type RedisSessionOptions } from "../../src/adapters/session-store/redis.ts";
import { retriedSaves } from "../../src/wrap/retried-saves.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import { redisMissing, redisOptions } from "../support/redis.ts";
import { type Sentinels, startSentinels } from "../support/sentinels.ts";
import { append, begin, turn } from "../support/sessions.ts";

/** Writers at once until the master dies. */
const WRITERS = 8;

describe.skipIf(redisMissing !== null)("session.replicasMin", () => {
  let watched: Sentinels;
  beforeAll(async () => {
    watched = await startSentinels();
  });
  afterAll(() => watched.close());

  const open = (change: Partial<RedisSessionOptions>) =>
    openRedisSessionStore({ ...redisOptions(watched.url), topology: "sentinel", ...change });
  const live = () => watched.servers.filter((server) => server.alive());
  const pause = (signal: NodeJS.Signals) => {
    for (const server of live()) if (/role:slave/.test(server.cli("INFO", "replication"))) server.signal(signal);
  };

  test("with too few replicas a turn is stored, its saving fails typed, and saying it again is harmless", async () => {
    const store = await open({ replicasMin: 3 });
    const one = turn();
    // A test that is tried again finds what it stored before.
    const id = randomUUID();
    await begin(store, id, one);
    for (let i = 0; i < 2; i++) {
      await expect(store.finish(SCOPE, id, one, call())).rejects.toMatchObject({
        code: "dependency_failed",
        retryable: true,
        message: expect.stringMatching(/^The turn is stored, but [0-2] of session\.replicasMin \(3\)/),
      });
    }
    const { turns, turnCount, pending } = await store.load(SCOPE, id, 10, call());
    expect({ texts: turns.map(({ answer }) => answer), turnCount, pending }).toEqual({
      texts: [one.answer],
      turnCount: 1,
      pending: [],
    });
    await store.close?.();
  });

  test("a replica that is away delays neither reading nor the storing of other turns", async () => {
    const store = await open({ replicasMin: 3, replicasTimeoutMs: 2000 });
    const id = randomUUID();
    const slow = append(store, id, turn()).then(
      () => "saved",
      () => "unconfirmed",
    );
    await until("it is stored", async () => (await store.load(SCOPE, id, 10, call())).turnCount === 1, 1500);
    const first = await Promise.race([slow, begin(store, "other", turn()).then(() => "begun")]);
    expect(first).toBe("begun");
    expect(await slow).toBe("unconfirmed");
    await store.close?.();
  });

  test("with too few replicas a conversation is gone on with at once, after any number of turns", async () => {
    const store = retriedSaves(await open({ replicasMin: 3 }), {
      turnsMax: 1000,
      charsMax: 1_000_000,
      retryMs: 60_000,
    });
    const id = randomUUID();
    for (let number = 1; number <= 5; number++) {
      await expect(append(store, id, turn())).rejects.toThrow(/of session.replicasMin/);
      const since = performance.now();
      const { turnCount } = await store.load(SCOPE, id, 10, call());
      expect(turnCount).toBe(number);
      expect(performance.now() - since).toBeLessThan(250);
    }
    await store.close?.();
  });

  test("turns that wait for replicas that are away do not pile up at the master", async () => {
    const store = await open({ replicasMin: 3, replicasTimeoutMs: 50, timeoutMs: 100 });
    const end = performance.now() + 3000;
    const write = async () => {
      while (performance.now() < end) await append(store, randomUUID(), turn()).catch(() => undefined);
    };
    await Promise.all(Array.from({ length: 80 }, write));
    const master = live().find((server) => /role:master/.test(server.cli("INFO", "replication")));
    // 64 of 50 ms each.
    const isIdle = () => /blocked_clients:0/.test(master?.cli("INFO", "clients") ?? "");
    await until("it waits no longer", isIdle, 5000);
    await store.close?.();
  });

  test("the master is killed in the middle of writing: every turn that was acknowledged is there", {
    timeout: 60_000,
  }, async () => {
    const store = await open({ replicasMin: 1, timeoutMs: 1000 });
    const acknowledged = new Map<string, string[]>();
    let isOver = false;
    const write = async (id: string) => {
      while (!isOver) {
        const one = turn();
        await append(store, id, one).then(
          () => acknowledged.set(id, [...(acknowledged.get(id) ?? []), one.requestId]),
          () => sleep(20),
        );
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, i) => write(`replicated-${i}`));
    const total = () => [...acknowledged.values()].flat().length;
    await until("turns are written", () => total() >= 200, 20_000);
    await watched.servers[0]?.kill();
    const before = total();
    await until("writing goes on", () => total() >= before + 50, 30_000);
    isOver = true;
    await Promise.all(writers);
    let missing = 0;
    for (const [id, requestIds] of acknowledged) {
      const { turns } = await store.load(SCOPE, id, 10_000, call());
      const there = new Set(turns.map(({ requestId }) => requestId));
      missing += requestIds.filter((requestId) => !there.has(requestId)).length;
    }
    console.info(`${total()} turns acknowledged, ${missing} missing after the failover`);
    expect(missing).toBe(0);
    await store.close?.();
  });

  test("replicas that stand still: nothing is acknowledged; once they go on, saving again is", async () => {
    const store = await open({ replicasMin: 1 });
    const one = turn();
    const id = randomUUID();
    await begin(store, id, one);
    pause("SIGSTOP");
    try {
      await expect(store.finish(SCOPE, id, one, call())).rejects.toThrow(/0 of session.replicasMin/);
    } finally {
      for (const server of live()) server.signal("SIGCONT");
    }
    await until(
      "it is confirmed",
      () =>
        store.finish(SCOPE, id, one, call()).then(
          () => true,
          () => false,
        ),
      15_000,
    );
    expect((await store.load(SCOPE, id, 10, call())).turnCount).toBe(1);
    await store.close?.();
  });
});
