import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { openRedisVectorCache } from "../../src/adapters/vector-cache/redis.ts";
import { cachedEmbedder } from "../../src/wrap/cached.ts";
import { call, until } from "../support/calls.ts";
import { type RedisServer, redisMissing, startRedis, vectorCacheOptions } from "../support/redis.ts";
import { vectorCacheContract } from "./vector-cache.ts";

describe.skipIf(redisMissing)("in Redis", () => {
  vectorCacheContract("redis", async () => {
    const server = await startRedis();
    const cache = await openRedisVectorCache(vectorCacheOptions(server.url));
    return {
      cache,
      async close() {
        await cache.close?.();
        await server.close();
      },
    };
  });

  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.close());

  test("keys begin with the prefix and expire; what is no vector counts as absent", async () => {
    const cache = await openRedisVectorCache(vectorCacheOptions(server.url));
    await cache.put([["a", Float32Array.of(1)]], call());
    expect(server.cli("keys", "*")).toBe("test:vector:a");
    expect(Number(server.cli("pttl", "test:vector:a"))).toBeGreaterThan(50_000);
    server.cli("set", "test:vector:a", "no vector");
    expect(await cache.find(["a"], call())).toEqual([null]);
    server.cli("flushall");
    await cache.close?.();
  });

  test("another process's vector is found; while Redis is dead or hangs texts are embedded, and it is used again afterwards", async () => {
    const embedded: string[] = [];
    const hashing = createHashingEmbedder({ dimensions: 64 });
    const open = async () => {
      const shared = await openRedisVectorCache({ ...vectorCacheOptions(server.url), timeoutMs: 200 });
      const embedder = {
        ...hashing,
        embed: (...[texts, kind, options]: Parameters<typeof hashing.embed>) => {
          embedded.push(...texts);
          return hashing.embed(texts, kind, options);
        },
      };
      return cachedEmbedder(embedder, { bytesMax: 0, shared });
    };
    const [one, other] = [await open(), await open()];
    const ask = async (embedder: typeof one, text: string) => (await embedder.embed([text], "query", call()))[0];
    const isShared = async (text: string) => {
      const vector = await ask(one, text);
      const before = embedded.length;
      const again = await ask(other, ` ${text} `);
      expect(again).toEqual(vector);
      return embedded.length === before;
    };
    await until("a vector is shared", () => isShared("연차 휴가는 며칠인가요"), 10_000);
    await server.kill();
    expect(await isShared("퇴직금은 언제 주나요")).toBe(false);
    await server.restart();
    await until("it is used again", () => isShared("병가는 며칠인가요"), 20_000);
    server.signal("SIGSTOP");
    const since = performance.now();
    expect(await isShared("출장비는 어떻게 받나요")).toBe(false);
    expect(performance.now() - since).toBeLessThan(5000);
    server.signal("SIGCONT");
    await until("it is used once more", () => isShared("휴직은 누가 승인하나요"), 20_000);
    await one.close?.();
    await other.close?.();
  });
});

test("an address that cannot be read is refused, naming the field", async () => {
  await expect(openRedisVectorCache(vectorCacheOptions("redis://"))).rejects.toThrow(
    /^embed\.sharedCache\.url: must be/,
  );
});

test.runIf(redisMissing)(`the cache in Redis is not tested: ${redisMissing}`, () => {});
