import { afterEach, describe, expect, test, vi } from "vitest";
import { createSqliteAnswerCache } from "../../src/adapters/answer-cache/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { call, SCOPE, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { answerCacheContract, cachedAnswer } from "./answer-cache.ts";

function openDatabase() {
  const folder = temporaryFolder();
  const database = Database.open(folder.file("cache.db"));
  const close = async () => {
    await database.close();
    folder.remove();
  };
  return { database, close };
}

answerCacheContract("sqlite", async () => {
  const { database, close } = openDatabase();
  return { cache: createSqliteAnswerCache(database, { ttlMs: 60_000, entriesMax: 1000 }), close };
});

describe("sqlite answer cache", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("an entry is served until its time is up, not after", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { database, close } = openDatabase();
    const cache = createSqliteAnswerCache(database, { ttlMs: 5000, entriesMax: 10 });
    await cache.put(SCOPE, "key", cachedAnswer("fresh"), call());
    vi.setSystemTime(Date.now() + 4999);
    expect(await cache.find(SCOPE, "key", call())).not.toBeNull();
    vi.setSystemTime(Date.now() + 2);
    expect(await cache.find(SCOPE, "key", call())).toBeNull();
    await close();
  });

  test("expired entries leave the file though nobody puts another, more than one piece of them", async () => {
    const { database, close } = openDatabase();
    const cache = createSqliteAnswerCache(database, { ttlMs: 1000, entriesMax: 10_000 });
    await Promise.all(Array.from({ length: 1200 }, (_, i) => cache.put(SCOPE, `${i}`, cachedAnswer("old"), call())));
    const rows = () => database.get<{ n: number }>("SELECT count(*) AS n FROM answers")?.n;
    await until("they are gone", () => rows() === 0);
    await cache.close?.();
    await close();
  });

  test("does not grow past its bound for ever", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { database, close } = openDatabase();
    const cache = createSqliteAnswerCache(database, { ttlMs: 3_600_000, entriesMax: 20 });
    for (let i = 0; i < 250; i++) {
      vi.setSystemTime(Date.now() + 1);
      await cache.put(SCOPE, `key-${i}`, cachedAnswer("x"), call());
    }
    const rows = database.get<{ n: number }>("SELECT count(*) AS n FROM answers")?.n ?? 0;
    expect(rows).toBeLessThanOrEqual(20 + 100);
    expect(await cache.find(SCOPE, "key-249", call())).not.toBeNull();
    expect(await cache.find(SCOPE, "key-0", call())).toBeNull();
    await close();
  });
});
