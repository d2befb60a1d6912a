import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openRedisSessionStore, type RedisSessionOptions } from "../../src/adapters/session-store/redis.ts";
import { call, scope, sleep, until } from "../support/calls.ts";
import { type RedisServer, redisMissing, redisOptions, startRedis } from "../support/redis.ts";
import { begin, turn } from "../support/sessions.ts";

describe.skipIf(redisMissing !== null)("a Redis that cannot keep conversations says why", () => {
  let redis: RedisServer;
  let sentinel: RedisServer;
  let node: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
    sentinel = await startRedis([], "redis-sentinel");
    node = await startRedis(["--cluster-enabled", "yes"]);
  });
  afterAll(() => Promise.all([redis.close(), sentinel.close(), node.close()]));

  /** What the first question is told that does not just come too early. */
  async function toldOf(url: string, options: Partial<RedisSessionOptions> = {}): Promise<string> {
    const store = await openRedisSessionStore({ ...redisOptions(url), ...options });
    onTestFinished(() => store.close?.());
    let told = "";
    await until("there is a reason", async () => {
      told = await begin(store, "refused", turn()).then(
        () => "nothing",
        (error: Error) => error.message,
      );
      if (/^Redis did not answer/.test(told)) await sleep(50);
      return !/^Redis did not answer/.test(told);
    });
    return told;
  }
  function changed(name: string, value: string, back: string): void {
    redis.cli("CONFIG", "SET", name, value);
    onTestFinished(() => void redis.cli("CONFIG", "SET", name, back));
  }

  test("sentinels are asked for, and a server stands there", async () => {
    expect(await toldOf(redis.url, { topology: "sentinel" })).toBe(
      "session.url names no sentinels: see session.topology.",
    );
  });

  test("a server is asked for, and a sentinel stands there", async () => {
    expect(await toldOf(sentinel.url)).toBe("session.url names a sentinel: see session.topology.");
  });

  test("the sentinels know no such master", async () => {
    expect(await toldOf(sentinel.url, { topology: "sentinel", sentinelMaster: "other" })).toBe(
      "The sentinels know no master of this name: see session.sentinelMaster.",
    );
  });

  test("a cluster is asked for, and a server stands there", async () => {
    expect(await toldOf(redis.url, { topology: "cluster" })).toBe(
      "No node of a cluster answers: see session.url and session.topology.",
    );
  });

  test("a cluster has no slots", async () => {
    expect(await toldOf(node.url)).toBe("The Redis cluster is down, or has no slots.");
  });

  test("there is no such database", async () => {
    expect(await toldOf(`${redis.url}/99`)).toBe("Redis has no database of this number: see session.url.");
  });

  test("its memory is full", async () => {
    changed("maxmemory", "1", "0");
    expect(await toldOf(redis.url)).toBe("Redis has reached its maxmemory.");
  });

  test("its memory gets full: conversations can be read, and no question can be begun, which is told without one", async () => {
    const store = await openRedisSessionStore(redisOptions(redis.url));
    onTestFinished(() => store.close?.());
    await begin(store, "s", turn());
    await store.probe?.(scope(), call());
    expect(redis.cli("KEYS", "*probe*")).toBe("");
    changed("maxmemory", "1", "0");
    expect(await store.load(scope(), "s", 1, call())).toMatchObject({ pending: [{}] });
    await expect(store.probe?.(scope(), call())).rejects.toMatchObject({ message: "Redis has reached its maxmemory." });
  });

  test("it is loading its data", async () => {
    const slow = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
    const loading = await startRedis(["--enable-debug-command", "yes", ...slow]);
    onTestFinished(() => loading.close());
    loading.cli("DEBUG", "POPULATE", "1000");
    const store = await openRedisSessionStore(redisOptions(loading.url));
    onTestFinished(() => store.close?.());
    await begin(store, "before", turn());
    const reloading = spawn("redis-cli", ["-p", `${loading.port}`, "DEBUG", "RELOAD"], { stdio: "ignore" });
    let told = "";
    await until("it says so", async () => {
      told = await begin(store, "s", turn()).then(
        () => "nothing",
        (error: Error) => error.message,
      );
      return /loading/.test(told);
    });
    expect(told).toBe("Redis has started and is loading its data.");
    reloading.kill();
  });

  test("its user may not run scripts", async () => {
    redis.cli("ACL", "SETUSER", "kim", "on", ">pw", "~*", "+@all", "-eval", "-evalsha");
    onTestFinished(() => void redis.cli("ACL", "DELUSER", "kim"));
    expect(await toldOf(redis.url.replace("//", "//kim:pw@"))).toBe(
      "The user of session.url lacks a right in Redis: see its ACL.",
    );
  });

  test("it has fewer replicas than it needs to write", async () => {
    changed("min-replicas-to-write", "1", "0");
    expect(await toldOf(redis.url)).toBe(
      "Redis takes no writes: it has fewer replicas than its min-replicas-to-write.",
    );
  });

  test("it is a replica", async () => {
    redis.cli("REPLICAOF", "127.0.0.1", "1");
    onTestFinished(() => void redis.cli("REPLICAOF", "NO", "ONE"));
    expect(await toldOf(redis.url)).toBe(
      "Redis takes no writes: session.url names a replica, or a master that has become one.",
    );
  });
});
