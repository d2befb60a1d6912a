import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AnswerCache, CachedAnswer } from "../../src/ports/answer-cache.ts";
import { call, SCOPE, scope } from "../support/calls.ts";

export interface OpenedAnswerCache {
  readonly cache: AnswerCache;
  close(): Promise<void>;
}

export function cachedAnswer(text: string): CachedAnswer {
  const place = { passageId: "hr/휴가.md#0", documentId: "hr/휴가.md", title: "휴가 규정", headings: ["연차"] };
  const query = "연차 휴가는 며칠?";
  return {
    query,
    text,
    sources: [{ n: 1, ...place, text: "15일", score: 0.25, metadata: { year: 2024, tags: ["a"] } }],
  };
}

/** The numbered rules of `ports/answer-cache.ts`. */
export function answerCacheContract(name: string, open: () => Promise<OpenedAnswerCache>): void {
  describe(`answer cache: ${name}`, () => {
    let opened: OpenedAnswerCache;
    let cache: AnswerCache;
    let made = 0;
    const freshKey = () => `key-${++made}`;

    beforeAll(async () => {
      opened = await open();
      cache = opened.cache;
    });
    afterAll(() => opened.close());

    test("1: gives back what was put, sources and all", async () => {
      const key = freshKey();
      expect(await cache.find(SCOPE, key, call())).toBeNull();
      await cache.put(SCOPE, key, cachedAnswer("연차는 15일입니다 [1]. 🏝️"), call());
      expect(await cache.find(SCOPE, key, call())).toEqual(cachedAnswer("연차는 15일입니다 [1]. 🏝️"));
      expect(await cache.find(SCOPE, freshKey(), call())).toBeNull();
    });

    test("1: the last put counts", async () => {
      const key = freshKey();
      await cache.put(SCOPE, key, cachedAnswer("old"), call());
      await cache.put(SCOPE, key, cachedAnswer("new"), call());
      expect((await cache.find(SCOPE, key, call()))?.text).toBe("new");
    });

    test.each([
      ["tenant", scope({ tenant: "other" })],
      ["collection", scope({ collection: "other" })],
      ["groups (more)", scope({ groups: ["hr"] })],
    ])("1: another %s under the same key finds nothing", async (_, elsewhere) => {
      const key = freshKey();
      await cache.put(SCOPE, key, cachedAnswer("mine"), call());
      expect(await cache.find(elsewhere, key, call())).toBeNull();
    });

    test("1: groups: fewer, others, and look-alikes find nothing; order and doubles do not matter", async () => {
      const key = freshKey();
      await cache.put(scope({ groups: ["hr", "board"] }), key, cachedAnswer("secret"), call());
      for (const groups of [[], ["hr"], ["board"], ["hr", "it"], ["hr,board"], ["hr", "board", "it"]]) {
        expect(await cache.find(scope({ groups }), key, call())).toBeNull();
      }
      expect((await cache.find(scope({ groups: ["board", "hr", "hr"] }), key, call()))?.text).toBe("secret");
    });

    test("3: all of a collection are deleted, whatever their groups, and no others", async () => {
      const mine = scope({ collection: "leaving" });
      const all = [mine, { ...mine, groups: ["hr"] }, { ...mine, groups: ["board", "hr"] }];
      const others = [scope({ tenant: "leaving" }), scope({ tenant: "other", collection: "leaving" })];
      for (const one of [...all, ...others]) await cache.put(one, "key", cachedAnswer("kept"), call());
      await cache.deleteAll(mine, call());
      for (const one of all) expect(await cache.find(one, "key", call())).toBeNull();
      for (const one of others) expect(await cache.find(one, "key", call())).not.toBeNull();
      await cache.deleteAll(mine, call());
    });

    test("puts at once do not lose each other", async () => {
      const keys = Array.from({ length: 20 }, freshKey);
      await Promise.all(keys.map((key) => cache.put(SCOPE, key, cachedAnswer(key), call())));
      for (const key of keys) expect((await cache.find(SCOPE, key, call()))?.text).toBe(key);
    });
  });
}
