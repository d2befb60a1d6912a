import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionStore } from "../../src/ports/session-store.ts";
import type { Scope } from "../../src/types.ts";
import { call, scope } from "../support/calls.ts";
import { append, ask, begin, freshUser, listed, turn, vectorOf } from "../support/sessions.ts";
import { sessionListsContract } from "./session-lists.ts";
import { type OpenedSessionStore, PENDING_MAX } from "./session-store.ts";

let made = 0;

/** The rules of `ports/session-store.ts` about whose a session is, and who reads it. */
export function sessionReadersContract(name: string, open: () => Promise<OpenedSessionStore>): void {
  describe(`session store: ${name}: readers`, () => {
    let opened: OpenedSessionStore;
    let store: SessionStore;
    const freshId = () => `readers-${++made}`;
    const load = (of: Scope, id: string) => store.load(of, id, 100, call());

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
      for (const [i, of] of all.entries()) await ask(store, of, "one", `질문 ${i}`);
      for (const [i, of] of all.entries()) {
        expect((await load(of, "one")).turns.map(({ question }) => question)).toEqual([`질문 ${i}`]);
        expect(await load(of, "one")).toMatchObject({ id: "one" });
      }
      expect(await store.delete(nobody, "one", call())).toBe(true);
      expect((await load(kim, "one")).turnCount).toBe(1);
      for (const user of users) expect(await listed(store, { ...kim, user })).toEqual(["one"]);
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
      expect(await listed(store, kim)).toEqual([]);
      await expect(store.finish(kim, "s-2", late, call())).rejects.toMatchObject({ code: "not_found" });
      for (const of of others) expect((await load(of, "s-1")).turnCount).toBe(1);
      expect(await store.deleteAll(nobody, call())).toBe(others.length);
      for (const of of others) expect((await load(of, "s-1")).version).toBe(0);
      expect(await listed(store, { ...kim, user: "ki" })).toEqual([]);
    });

    test("11: who lacks a group of those who asked cannot read, go on with or delete it, and changes nothing", async () => {
      const id = freshId();
      const [open, hr, both] = [scope(), scope({ groups: ["인사팀"] }), scope({ groups: ["eng", "인사팀", "eng"] })];
      const model = "static/8";
      await ask(store, open, id);
      await ask(store, hr, id);
      await ask(store, hr, id);
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

      await ask(store, both, id);
      await expect(load(hr, id)).rejects.toMatchObject({ code: "forbidden" });
      const reordered = scope({ groups: ["인사팀", "others", "eng"] });
      expect((await load(reordered, id)).turnCount).toBe(4);
      expect(await store.delete(reordered, id, call())).toBe(true);
      await ask(store, open, id);
      expect((await load(open, id)).turnCount).toBe(1);
    });

    test("11: what was begun is finished, kept and compacted, whoever has asked meanwhile", async () => {
      const id = freshId();
      const [hr, both] = [scope({ groups: ["hr"] }), scope({ groups: ["eng", "hr"] })];
      const asked = turn();
      await begin(store, id, asked, hr);
      const { version } = await load(hr, id);
      await ask(store, both, id);
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
  });
  sessionListsContract(name, open);
}
