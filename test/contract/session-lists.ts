import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { call, until } from "../support/calls.ts";
import { append, ask, begin, freshUser, listed, turn } from "../support/sessions.ts";
import type { OpenedSessionStore } from "./session-store.ts";

/** Rule 12 of `ports/session-store.ts`. */
export function sessionListsContract(name: string, open: () => Promise<OpenedSessionStore>): void {
  describe(`session store: ${name}: lists`, () => {
    let opened: OpenedSessionStore;
    let store: SessionStore;

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());

    test("12: a user's sessions are listed, the one that was last asked in first, by pages", async () => {
      const kim = freshUser("김/철수");
      const ids = Array.from({ length: 7 }, (_, i) => `s-${i}`);
      const before = Date.now();
      for (const [i, id] of ids.entries()) await ask(store, kim, id, `질문 ${i} 🏝️`);
      await ask(store, { ...kim, user: "이영희" }, "hers");
      await ask(store, kim, "s-2", "이어서");
      const pending = turn({ question: "아직" });
      await begin(store, "s-7", pending, kim);
      const order = ["s-7", "s-2", "s-6", "s-5", "s-4", "s-3", "s-1", "s-0"];
      const { sessions, next } = await store.list(kim, { limit: 100 }, call());
      expect(sessions.map(({ id }) => id)).toEqual(order);
      expect(next).toBeUndefined();
      expect(sessions[0]).toMatchObject({ question: "아직", turnCount: 0 });
      expect(sessions[1]).toMatchObject({ question: "질문 2 🏝️", turnCount: 2 });
      for (const { usedAtMs } of sessions) {
        expect(usedAtMs).toBeGreaterThanOrEqual(before - 1);
        expect(usedAtMs).toBeLessThanOrEqual(Date.now());
        expect(Number.isInteger(usedAtMs)).toBe(true);
      }
      const paged: string[] = [];
      let after: Parameters<SessionStore["list"]>[1]["after"];
      do {
        const page = await store.list(kim, { limit: 3, after }, call());
        paged.push(...page.sessions.map(({ id }) => id));
        expect(page.sessions.length).toBeLessThanOrEqual(3);
        after = page.next;
      } while (after);
      expect(paged).toEqual(order);
      expect(await store.delete(kim, "s-2", call())).toBe(true);
      expect(await listed(store, kim)).toEqual(order.filter((id) => id !== "s-2"));
      expect(await listed(store, { ...kim, user: "nobody" })).toEqual([]);
    });

    test("12: those that who asks may not read are left out, also across pages", async () => {
      const hr = { ...freshUser(), groups: ["hr"] };
      const open = { ...hr, groups: [] };
      for (let i = 0; i < 6; i++) await ask(store, i % 2 ? hr : open, `s-${i}`);
      expect(await listed(store, hr)).toEqual(["s-5", "s-4", "s-3", "s-2", "s-1", "s-0"]);
      const first = await store.list(open, { limit: 2 }, call());
      expect(first.sessions.map(({ id }) => id)).toEqual(["s-4", "s-2"]);
      const second = await store.list(open, { limit: 2, after: first.next }, call());
      expect(second).toMatchObject({ sessions: [{ id: "s-0" }] });
      expect(second.next).toBeUndefined();
    });

    test("12: a refused question changes no place, and one that is asked while its session is deleted is listed", async () => {
      const hr = { ...freshUser(), groups: ["hr"] };
      await ask(store, hr, "first");
      await ask(store, hr, "second");
      await expect(begin(store, "first", turn(), { ...hr, groups: [] })).rejects.toMatchObject({ code: "forbidden" });
      expect(await listed(store, hr)).toEqual(["second", "first"]);
      for (let i = 0; i < 20; i++) {
        const kim = freshUser();
        await ask(store, kim, "one");
        await Promise.all([
          i % 2 ? store.delete(kim, "one", call()) : store.deleteAll(kim, call()),
          begin(store, "one", turn(), kim),
        ]);
        expect(await listed(store, kim)).toEqual(
          (await store.load(kim, "one", 100, call())).version > 0 ? ["one"] : [],
        );
      }
    });

    test("12: one whose answer holds half of a surrogate pair is listed", async () => {
      const kim = freshUser();
      await append(store, "half", turn({ question: "이모지?", answer: "🏝️".slice(0, 1) }), kim);
      expect((await store.list(kim, { limit: 5 }, call())).sessions).toMatchObject([
        { id: "half", question: "이모지?" },
      ]);
    });

    test("12: many are listed a page at a time, each once", async () => {
      const kim = freshUser();
      const ids = Array.from({ length: 450 }, (_, i) => `s-${i}`);
      await Promise.all(ids.map((id) => begin(store, id, turn(), kim)));
      const seen: string[] = [];
      let after: Parameters<SessionStore["list"]>[1]["after"];
      do {
        const page = await store.list(kim, { limit: 100, after }, call());
        seen.push(...page.sessions.map(({ id }) => id));
        after = page.next;
      } while (after);
      expect(seen.toSorted()).toEqual(ids.toSorted());
    });

    test("12: those asked in within one millisecond are each listed once", async () => {
      const kim = freshUser();
      const at = new Date(Date.now() + 1000).toISOString();
      await Promise.all(Array.from({ length: 20 }, (_, i) => append(store, `s-${i}`, turn({ at }), kim)));
      const seen: string[] = [];
      let after: Parameters<SessionStore["list"]>[1]["after"];
      do {
        const page = await store.list(kim, { limit: 7, after }, call());
        seen.push(...page.sessions.map(({ id }) => id));
        after = page.next;
      } while (after);
      expect(seen.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `s-${i}`).sort());
    });

    test("12: a forgotten one is listed no more", async () => {
      const kim = freshUser();
      const forgetting = await opened.forgetting(2000);
      const count = async () => (await forgetting.list(kim, { limit: 5 }, call())).sessions.length;
      await append(forgetting, "old", turn({ at: new Date().toISOString() }), kim);
      expect(await count()).toBe(1);
      await until("it is forgotten", async () => (await count()) === 0);
      await forgetting.close?.();
    });
  });
}
