import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionStore } from "../../src/ports/session-store.ts";
import type { Scope } from "../../src/types.ts";
import { call, scope, sleep, until } from "../support/calls.ts";
import { append, begin, turn, vectorOf } from "../support/sessions.ts";
import { type OpenedSessionStore, PENDING_MAX } from "./session-store.ts";

type OfUser = Scope & { readonly user: string };

let made = 0;

/** The rules of `ports/session-store.ts` about whose a session is, and who reads it. */
export function sessionReadersContract(name: string, open: () => Promise<OpenedSessionStore>): void {
  describe(`session store: ${name}: readers`, () => {
    let opened: OpenedSessionStore;
    let store: SessionStore;
    const freshId = () => `readers-${++made}`;
    /** In a collection of its own. */
    const freshUser = (user = "kim") => ({ ...scope({ collection: `of-${++made}` }), user });
    const load = (of: Scope, id: string) => store.load(of, id, 100, call());
    const listed = async (of: OfUser, limit = 100) =>
      (await store.list(of, { limit }, call())).sessions.map(({ id }) => id);
    /** Turns that a store gives the time of are of now: lists are by it. */
    const ask = async (of: Scope, id: string, question = "연차는 며칠인가요?") => {
      await append(store, id, turn({ question, at: new Date().toISOString() }), of);
      await sleep(3);
    };

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());

    test("8: each user has sessions of his own under the same ids, and so has nobody in particular", async () => {
      const kim = freshUser();
      const { user: _, ...nobody } = kim;
      const users = ["kim", "Kim", "k%69m", "kim/session", "김철수", "a b:*?[x]\\", "\u001f", "💡"];
      const all: Scope[] = [nobody, ...users.map((user) => ({ ...kim, user }))];
      for (const [i, of] of all.entries()) await ask(of, "one", `질문 ${i}`);
      for (const [i, of] of all.entries()) {
        expect((await load(of, "one")).turns.map(({ question }) => question)).toEqual([`질문 ${i}`]);
        expect(await load(of, "one")).toMatchObject({ id: "one" });
      }
      expect(await store.delete(nobody, "one", call())).toBe(true);
      expect((await load(kim, "one")).turnCount).toBe(1);
      for (const user of users) expect(await listed({ ...kim, user })).toEqual(["one"]);
    });

    test("10: of a user, all his sessions are deleted and nobody else's; of a collection, everybody's", async () => {
      const kim = freshUser("kim");
      const { user: _, ...nobody } = kim;
      const others: Scope[] = [nobody, { ...kim, user: "kim0" }, { ...kim, user: "ki" }, { ...kim, user: "kim/" }];
      for (let i = 0; i < 60; i++) await append(store, `s-${i}`, turn(), kim);
      for (const of of others) await append(store, "s-1", turn(), of);
      const late = turn();
      await begin(store, "s-2", late, kim);
      expect(await store.deleteAll(kim, call())).toBe(60);
      expect((await load(kim, "s-2")).version).toBe(0);
      expect(await listed(kim)).toEqual([]);
      await expect(store.finish(kim, "s-2", late, call())).rejects.toMatchObject({ code: "not_found" });
      for (const of of others) expect((await load(of, "s-1")).turnCount).toBe(1);
      expect(await store.deleteAll(nobody, call())).toBe(others.length);
      for (const of of others) expect((await load(of, "s-1")).version).toBe(0);
      expect(await listed({ ...kim, user: "ki" })).toEqual([]);
    });

    test("11: who lacks a group of those who asked cannot read, go on with or delete it, and changes nothing", async () => {
      const id = freshId();
      const [open, hr, both] = [scope(), scope({ groups: ["인사팀"] }), scope({ groups: ["eng", "인사팀", "eng"] })];
      const model = "static/8";
      await ask(open, id);
      await ask(hr, id);
      await ask(hr, id);
      const { version } = await load(hr, id);
      const recall = { model, vectors: [{ number: 2, vector: vectorOf(1) }] };
      expect(await store.replace(hr, id, version, { recall }, call())).toBe(true);
      const before = await load(both, id);
      expect(before.turnCount).toBe(3);
      for (const lacking of [open, scope({ groups: ["eng"] }), scope({ groups: ["인사"] })]) {
        await expect(load(lacking, id)).rejects.toMatchObject({ code: "forbidden" });
        await expect(begin(store, id, turn(), lacking)).rejects.toMatchObject({ code: "forbidden" });
        expect(await store.turns(lacking, id, [1, 2, 3], call())).toEqual([]);
        const query = { model, vector: vectorOf(1), limit: 3 };
        expect(await store.recall(lacking, id, query, call())).toEqual([]);
        expect(await store.delete(lacking, id, call())).toBe(false);
      }
      expect(await load(both, id)).toEqual(before);
      expect(await store.turns(hr, id, [1, 2, 3], call())).toHaveLength(3);
      expect(await store.recall(hr, id, { model, vector: vectorOf(1), limit: 3 }, call())).toHaveLength(1);

      await ask(both, id);
      await expect(load(hr, id)).rejects.toMatchObject({ code: "forbidden" });
      const reordered = scope({ groups: ["인사팀", "others", "eng"] });
      expect((await load(reordered, id)).turnCount).toBe(4);
      expect(await store.delete(reordered, id, call())).toBe(true);
      await ask(open, id);
      expect((await load(open, id)).turnCount).toBe(1);
    });

    test("11: what was begun is finished, kept and compacted, whoever has asked meanwhile", async () => {
      const id = freshId();
      const [hr, both] = [scope({ groups: ["hr"] }), scope({ groups: ["eng", "hr"] })];
      const asked = turn();
      await begin(store, id, asked, hr);
      const { version } = await load(hr, id);
      await ask(both, id);
      await store.renew(hr, id, asked.requestId, call());
      await store.finish(hr, id, asked, call());
      expect(await store.replace(hr, id, version, { summary: "둘" }, call())).toBe(true);
      expect(await load(both, id)).toMatchObject({ turnCount: 2, summary: "둘" });
      await expect(load(hr, id)).rejects.toMatchObject({ code: "forbidden" });
      expect(await store.deleteAll({ ...freshUser(), groups: [] }, call())).toBe(0);
    });

    test("11: a turn that one without groups began binds its session once somebody with groups finishes it", async () => {
      const [open, hr] = [{ ...freshUser(), groups: [] }, scope({ groups: ["hr"] })];
      const [id, asked] = ["one", turn({ answer: "7퍼센트" })];
      await begin(store, id, asked, open);
      await begin(store, id, asked, { ...open, groups: hr.groups });
      await store.finish({ ...open, groups: hr.groups }, id, asked, call());
      await expect(load(open, id)).rejects.toMatchObject({ code: "forbidden" });
      expect((await load({ ...open, groups: hr.groups }, id)).turns).toMatchObject([{ answer: "7퍼센트" }]);
    });

    test("11: so does one that was begun anew by one without, after a deletion", async () => {
      const open = freshUser();
      const hr = { ...open, groups: ["hr", '인사 \\/"팀'] };
      const asked = turn({ answer: "7퍼센트" });
      await begin(store, "one", asked, hr);
      expect(await store.deleteAll(open, call())).toBe(1);
      await begin(store, "one", asked, { ...open, groups: ["eng"] });
      await store.finish(hr, "one", asked, call());
      for (const lacking of [open, hr, { ...open, groups: ["eng"] }]) {
        await expect(load(lacking, "one")).rejects.toMatchObject({ code: "forbidden" });
      }
      expect((await load({ ...open, groups: [...hr.groups, "eng"] }, "one")).turnCount).toBe(1);
    });

    test("11: of two with different groups who begin a session at once, one has it, and its turn alone is stored", async () => {
      const [hr, fin] = [scope({ groups: ["hr"] }), scope({ groups: ["fin"] })];
      for (let i = 0; i < 20; i++) {
        const id = freshId();
        const asking = [hr, fin].map(async (of) => {
          const asked = turn();
          const isRecorded = await begin(store, id, asked, of).then(
            () => true,
            (thrown) => thrown.code !== "forbidden" && Promise.reject(thrown),
          );
          const code = isRecorded ? null : "forbidden";
          const finished = store.finish(of, id, asked, call());
          if (isRecorded) await finished;
          else await finished.catch((thrown) => expect(["forbidden", "not_found"]).toContain(thrown.code));
          return code;
        });
        expect((await Promise.all(asking)).toSorted()).toEqual(["forbidden", null]);
        const loaded = await Promise.allSettled([hr, fin].map((of) => load(of, id)));
        expect(loaded.flatMap((one) => (one.status === "fulfilled" ? one.value.turnCount : []))).toEqual([1]);
      }
    });

    test("11: who lacks a group of who begins a session just now does not delete it", async () => {
      const [open, hr] = [scope(), scope({ groups: ["hr"] })];
      for (let i = 0; i < 20; i++) {
        const [id, asked] = [freshId(), turn()];
        await Promise.all([begin(store, id, asked, hr), store.delete(open, id, call())]);
        await store.finish(hr, id, asked, call());
        expect((await load(hr, id)).turnCount).toBe(1);
      }
    });

    test("11: a question that is refused, as too many are pending, or known already, binds nothing", async () => {
      const id = freshId();
      const [hr, both] = [scope({ groups: ["hr"] }), scope({ groups: ["eng", "hr"] })];
      const asked = Array.from({ length: PENDING_MAX }, () => turn());
      await Promise.all(asked.map((one) => begin(store, id, one, hr)));
      await expect(begin(store, id, turn(), both)).rejects.toMatchObject({ code: "rate_limited" });
      for (const one of asked) await store.renew(hr, id, one.requestId, call());
      await begin(store, id, asked[0] ?? turn(), both);
      expect((await load(hr, id)).pending).toHaveLength(PENDING_MAX);
      for (const one of asked.slice(1)) await store.finish(hr, id, one, call());
      expect((await load(hr, id)).turnCount).toBe(PENDING_MAX - 1);
    });

    test("11: a question that could not be recorded binds its session all the same, where its turn is stored", async () => {
      const hr = { ...freshUser(), groups: ["hr"] };
      const asked = turn();
      await opened.takesWrites(false);
      const begun = await store
        .begin(hr, "one", { requestId: asked.requestId, question: asked.question, tokens: 5 }, 100, call())
        .catch(() => null);
      await begun?.recorded.catch(() => undefined);
      await opened.takesWrites(true);
      if (begun === null) {
        await expect(store.finish(hr, "one", asked, call())).rejects.toMatchObject({ code: "not_found" });
        expect((await load({ ...hr, groups: [] }, "one")).version).toBe(0);
        return;
      }
      await store.finish(hr, "one", asked, call());
      expect((await load(hr, "one")).turnCount).toBe(1);
      await expect(load({ ...hr, groups: [] }, "one")).rejects.toMatchObject({ code: "forbidden" });
    });

    test("12: a user's sessions are listed, the one that was last asked in first, by pages", async () => {
      const kim = freshUser("김/철수");
      const ids = Array.from({ length: 7 }, (_, i) => `s-${i}`);
      const before = Date.now();
      for (const [i, id] of ids.entries()) await ask(kim, id, `질문 ${i} 🏝️`);
      await ask({ ...kim, user: "이영희" }, "hers");
      await ask(kim, "s-2", "이어서");
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
      expect(await listed(kim)).toEqual(order.filter((id) => id !== "s-2"));
      expect(await listed({ ...kim, user: "nobody" })).toEqual([]);
    });

    test("12: those that who asks may not read are left out, also across pages", async () => {
      const hr = { ...freshUser(), groups: ["hr"] };
      const open = { ...hr, groups: [] };
      for (let i = 0; i < 6; i++) await ask(i % 2 ? hr : open, `s-${i}`);
      expect(await listed(hr)).toEqual(["s-5", "s-4", "s-3", "s-2", "s-1", "s-0"]);
      const first = await store.list(open, { limit: 2 }, call());
      expect(first.sessions.map(({ id }) => id)).toEqual(["s-4", "s-2"]);
      const second = await store.list(open, { limit: 2, after: first.next }, call());
      expect(second).toMatchObject({ sessions: [{ id: "s-0" }] });
      expect(second.next).toBeUndefined();
    });

    test("12: a refused question changes no place, and one that is asked while its session is deleted is listed", async () => {
      const hr = { ...freshUser(), groups: ["hr"] };
      await ask(hr, "first");
      await ask(hr, "second");
      await expect(begin(store, "first", turn(), { ...hr, groups: [] })).rejects.toMatchObject({ code: "forbidden" });
      expect(await listed(hr)).toEqual(["second", "first"]);
      for (let i = 0; i < 20; i++) {
        const kim = freshUser();
        await ask(kim, "one");
        await Promise.all([
          i % 2 ? store.delete(kim, "one", call()) : store.deleteAll(kim, call()),
          begin(store, "one", turn(), kim),
        ]);
        expect(await listed(kim)).toEqual((await load(kim, "one")).version > 0 ? ["one"] : []);
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
      const listed = async () => (await forgetting.list(kim, { limit: 5 }, call())).sessions.length;
      await append(forgetting, "old", turn({ at: new Date().toISOString() }), kim);
      expect(await listed()).toBe(1);
      await until("it is forgotten", async () => (await listed()) === 0);
      await forgetting.close?.();
    });
  });
}
