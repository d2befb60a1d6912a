import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Filter, Scope, ScoredPassage } from "../../src/types.ts";
import { call, scope } from "../support/calls.ts";
import { DIMENSIONS, document, passage, unit } from "./passages.ts";

export interface OpenedPassageIndex {
  readonly index: PassageIndex;
  /** A second index over the same data, as another process would open it; `model` names its vector space. */
  another(model?: string, dimensions?: number): Promise<{ readonly index: PassageIndex; close(): Promise<void> }>;
  /** How long another process's commit may take to be found here; absent: the next search finds it. */
  readonly othersSeenWithinMs?: number;
  /** Another process's commit may come between the look at what a write replaces and the write. */
  readonly hasNoConditionalWrites?: true;
  close(): Promise<void>;
}

export const MODEL = "test-space";

/** Rules 1, 3, 4 and 6 of `ports/passage-index.ts`, and paging. The others are in `passage-index-writes.ts`. */
export function passageIndexContract(name: string, open: () => Promise<OpenedPassageIndex>): void {
  describe(`passage index: ${name}: reading`, () => {
    let opened: OpenedPassageIndex;
    let index: PassageIndex;
    let made = 0;
    const fresh = (change: Partial<Scope> = {}) => scope({ collection: `c${++made}`, ...change });

    beforeAll(async () => {
      opened = await open();
      index = opened.index;
    });
    afterAll(() => opened.close());

    const texts = async (where: Scope, text: string, filter?: Filter) => {
      const { byText } = await index.search(where, { text, limit: 10, ...(filter && { filter }) }, call());
      return ids(byText);
    };

    test("a hit carries the whole passage", async () => {
      const where = fresh();
      const stored = document("hr/퇴직.md", {
        title: "퇴직금",
        url: "https://example.com/퇴직",
        metadata: { year: 2024 },
      });
      const input = { ...passage("퇴직금은 14일 안에 지급한다.", 0), headings: ["지급", "기한"], tokens: 9 };
      await index.replace(where, stored, [input], call());
      const { byText } = await index.search(where, { text: "퇴직금", limit: 5 }, call());
      expect(byText.map(({ passage }) => passage)).toEqual([
        {
          id: "hr/퇴직.md#0",
          documentId: "hr/퇴직.md",
          title: "퇴직금",
          headings: ["지급", "기한"],
          text: "퇴직금은 14일 안에 지급한다.",
          tokens: 9,
          url: "https://example.com/퇴직",
          metadata: { year: 2024 },
        },
      ]);
    });

    test.each([
      ["퇴직금", "퇴직금은 퇴사 후 14일 이내에 지급합니다."],
      ["연차휴가는 며칠?", "연차휴가가 15일 주어진다."],
      ["API key 발급", "새 API key의 발급은 관리자에게 요청한다."],
      ["severance", "Severance pay is due within 14 days."],
    ])("text: %j finds %j, and not the other page", async (query, text) => {
      const where = fresh();
      await index.replace(where, document("right", { title: "" }), [passage(text, 0)], call());
      await index.replace(where, document("wrong", { title: "" }), [passage("주차장은 지하 이층에 있다.", 1)], call());
      expect(await texts(where, query)).toEqual(["right#0"]);
    });

    test("the two legs: cosine by vector, best first; absent legs are empty", async () => {
      const where = fresh();
      for (let i = 0; i < 4; i++) await index.replace(where, document(`d${i}`), [passage("같은 글", i)], call());
      const { byVector, byText } = await index.search(where, { vector: unit(2), limit: 10 }, call());
      expect(byText).toEqual([]);
      expect(byVector).toHaveLength(4);
      expect(byVector[0]?.passage.id).toBe("d2#0");
      expect(byVector[0]?.score).toBeCloseTo(1, 5);
      expect(byVector[1]?.score).toBeCloseTo(0, 5);
      const both = await index.search(where, { vector: unit(2), text: "같은 글", limit: 10 }, call());
      expect(ids(both.byVector)).toEqual(ids(byVector));
      expect(both.byText.every(({ score }) => score > 0)).toBe(true);
      expect(both.byText).toHaveLength(4);
    });

    test("1: neither another tenant, collection nor group is returned, counted, listed or found", async () => {
      const where = fresh();
      const secret = document("secret", { groups: ["board", "이사회"] });
      await index.replace(where, document("open"), [passage("보너스 규정", 0)], call());
      await index.replace(where, secret, [passage("보너스 비밀", 1), passage("보너스 더 비밀", 2)], call());

      const strangers = [
        where,
        { ...where, groups: ["hr"] },
        { ...where, groups: ["boar", "board,hr", "BOARD", '["board"]', "%", ""] },
      ];
      for (const stranger of strangers) {
        expect(await texts(stranger, "보너스")).toEqual(["open#0"]);
        expect(ids((await index.search(stranger, { vector: unit(1), limit: 9 }, call())).byVector)).toEqual(["open#0"]);
        expect(await index.find(stranger, "secret", call())).toBeNull();
        expect((await index.list(stranger, { limit: 10 }, call())).documents.map(({ id }) => id)).toEqual(["open"]);
        expect(await index.status(stranger, call())).toMatchObject({ documents: 1, passages: 1 });
        expect(await index.delete(stranger, "secret", call())).toBe(false);
        expect(await index.has(stranger, "secret", call())).toBe(true);
        expect(await index.has(stranger, "open", call())).toBe(true);
        expect(await index.has(stranger, "secre", call())).toBe(false);
      }
      for (const elsewhere of [
        { ...where, tenant: "other" },
        { ...where, collection: "other" },
      ]) {
        const insider = { ...elsewhere, groups: ["board"] };
        expect(await texts(insider, "보너스")).toEqual([]);
        expect((await index.list(insider, { limit: 10 }, call())).documents).toEqual([]);
        expect(await index.status(insider, call())).toEqual({ documents: 0, passages: 0, embedder: null });
        expect(await index.has(insider, "secret", call())).toBe(false);
      }
      for (const group of ["board", "이사회"]) {
        const insider = { ...where, groups: ["hr", group] };
        expect((await texts(insider, "보너스")).toSorted()).toEqual(["open#0", "secret#0", "secret#1"]);
        expect(await index.status(insider, call())).toMatchObject({ documents: 2, passages: 3 });
        expect(await index.find(insider, "secret", call())).toMatchObject({ id: "secret", groups: secret.groups });
      }
    });

    test("1: every group is named to whoever indexes, who lists and deletes with them whatever is there", async () => {
      const where = fresh();
      expect(await index.groups(where, call())).toEqual([]);
      for (const [id, groups] of Object.entries({ open: [], staff: ["hr", "이사회"], board: ["이사회"] })) {
        await index.replace(where, document(id, { groups }), [passage("보너스 규정", 0)], call());
      }
      const groups = await index.groups(where, call());
      expect(groups.toSorted()).toEqual(["hr", "이사회"]);
      expect(await index.groups({ ...where, groups: ["other"] }, call())).toHaveLength(2);
      expect(await index.groups({ ...where, tenant: "other" }, call())).toEqual([]);
      const owner = { ...where, groups };
      expect((await index.list(owner, { limit: 10 }, call())).documents.map(({ id }) => id)).toEqual([
        "board",
        "open",
        "staff",
      ]);
      expect(await index.delete(owner, "staff", call())).toBe(true);
      expect(await index.has(where, "staff", call())).toBe(false);
      expect(await index.groups(where, call())).toEqual(["이사회"]);
      expect(await texts({ ...where, groups: ["hr"] }, "보너스")).toEqual(["open#0"]);
    });

    test("1: an error names no field and no document of other groups", async () => {
      const where = fresh();
      const secret = document("hidden-plan", { groups: ["board"], metadata: { acquisition: "초콜릿", year: 2025 } });
      await index.replace(where, document("open", { metadata: { year: 2024 } }), [passage("글", 0)], call());
      await index.replace(where, secret, [passage("글", 1)], call());
      const refused = texts(where, "글", { acquisition: "초콜릿" });
      await expect(refused).rejects.toMatchObject({ code: "request_invalid" });
      const message = await refused.catch((error: Error) => error.message);
      expect(message).toContain("acquisition");
      expect(message).toContain("year");
      const other = await texts(where, "글", { nothing: 1 }).catch((error: Error) => error.message);
      expect(other).not.toMatch(/acquisition|초콜릿|hidden-plan|board/);
      expect(await texts({ ...where, groups: ["board"] }, "글", { acquisition: "초콜릿" })).toEqual(["hidden-plan#0"]);
    });

    test("3: exactly k hits a leg where k match the filter, though better ones do not match", async () => {
      const where = fresh();
      for (let i = 0; i < 40; i++) {
        const text = i % 4 === 0 ? "휴가 안내" : "휴가 휴가 휴가";
        const of = document(`d${String(i).padStart(2, "0")}`, {
          title: "",
          metadata: { kind: i % 4 === 0 ? "a" : "b" },
        });
        await index.replace(where, of, [passage(text, i % DIMENSIONS)], call());
      }
      const query = { text: "휴가", vector: unit(1), limit: 7, filter: { kind: "a" } };
      const { byText, byVector } = await index.search(where, query, call());
      expect(byText).toHaveLength(7);
      expect(byVector).toHaveLength(7);
      for (const { passage } of [...byText, ...byVector]) expect(passage.metadata.kind).toBe("a");
      expect((await index.search(where, { ...query, limit: 100 }, call())).byText).toHaveLength(10);
    });

    test("3: ties come in the same order every time, and k hits are the first of k + n", async () => {
      const where = fresh();
      for (let i = 0; i < 12; i++) await index.replace(where, document(`t${i}`), [passage("똑같은 글", 0)], call());
      const search = (limit: number) => index.search(where, { text: "글", vector: unit(0), limit }, call());
      const all = await search(12);
      expect(all.byText).toHaveLength(12);
      for (const limit of [12, 5, 1]) {
        const some = await search(limit);
        expect(ids(some.byText)).toEqual(ids(all.byText).slice(0, limit));
        expect(ids(some.byVector)).toEqual(ids(all.byVector).slice(0, limit));
      }
    });

    const filters: readonly (readonly [string, Filter, readonly string[]])[] = [
      ["equality", { lang: "ko" }, ["a", "b"]],
      ["a number is no string", { year: "2024" }, []],
      ["a list matches by any value", { tags: "급여" }, ["a", "c"]],
      ["$in", { year: { $in: [2023, 2025] } }, ["b", "c"]],
      ["a range", { year: { $gte: 2024, $lt: 2025 } }, ["a"]],
      ["a range of strings", { date: { $gt: "2024-05-01" } }, ["b", "c"]],
      ["$ne also matches rows without the field", { lang: { $ne: "ko" } }, ["c", "d"]],
      ["$nin", { year: { $nin: [2024, 2023] } }, ["c", "d"]],
      ["two fields both hold", { lang: "ko", year: 2023 }, ["b"]],
      ["$or", { $or: [{ year: 2025 }, { tags: "휴가" }] }, ["a", "c"]],
      ["$not", { $not: { lang: "ko" } }, ["c", "d"]],
      ["booleans", { draft: true }, ["b"]],
    ];
    test.each(filters)("filter: %s", async (_, filter, expected) => {
      const where = scope({ collection: "filtered" });
      if ((await index.status(where, call())).documents === 0) {
        const of = { a: [2024, "2024-01-31"], b: [2023, "2024-06-01"], c: [2025, "2025-01-01"] } as const;
        const more = {
          a: { lang: "ko", tags: ["급여", "휴가"] },
          b: { lang: "ko", draft: true },
          c: { lang: "en", tags: "급여" },
        };
        for (const id of ["a", "b", "c"] as const) {
          const [year, date] = of[id];
          await index.replace(
            where,
            document(id, { metadata: { year, date, ...more[id] } }),
            [passage("글", 0)],
            call(),
          );
        }
        await index.replace(where, document("d"), [passage("글", 0)], call());
      }
      expect((await texts(where, "글", filter)).toSorted()).toEqual(expected.map((id) => `${id}#0`));
    });

    test("4: a field that no readable document has is refused by name, wherever it stands", async () => {
      const where = fresh();
      await index.replace(where, document("a", { metadata: { year: 2024 } }), [passage("글", 0)], call());
      for (const filter of [{ yaer: 2024 }, { $or: [{ year: 2024 }, { yaer: 1 }] }, { $not: { yaer: { $gt: 1 } } }]) {
        const refused = texts(where, "글", filter);
        await expect(refused).rejects.toMatchObject({
          code: "request_invalid",
          message: expect.stringContaining("yaer"),
        });
      }
    });

    test("6: an unknown tenant or collection searches as empty", async () => {
      for (const where of [scope({ tenant: "nobody" }), scope({ collection: "nothing" })]) {
        const result = await index.search(where, { text: "휴가", vector: unit(0), limit: 5 }, call());
        expect(result).toEqual({ byText: [], byVector: [] });
        expect(await index.list(where, { limit: 5 }, call())).toEqual({ documents: [] });
        expect(await index.find(where, "a", call())).toBeNull();
        expect(await index.delete(where, "a", call())).toBe(false);
        expect(await index.status(where, call())).toEqual({ documents: 0, passages: 0, embedder: null });
        expect(await index.version(where, call())).toBe(await index.version(where, call()));
      }
    });

    test("list: every document once, by id, in pages of any size", async () => {
      const where = fresh();
      const names = ["a", "a/b", "a b", "B", "가/나.md", "하", "z%2F", "제1조", "0"];
      for (const id of names) await index.replace(where, document(id), [passage("글", 0), passage("글", 1)], call());
      const all = await index.list(where, { limit: 1000 }, call());
      expect(all.next).toBeUndefined();
      expect(all.documents.map(({ id }) => id).toSorted()).toEqual(names.toSorted());
      expect(all.documents.every(({ passages }) => passages === 2)).toBe(true);
      for (const limit of [1, 2, 4, names.length]) {
        const seen: string[] = [];
        for (let after: string | undefined; ; ) {
          const page = await index.list(where, after === undefined ? { limit } : { after, limit }, call());
          expect(page.documents.length).toBeLessThanOrEqual(limit);
          seen.push(...page.documents.map(({ id }) => id));
          expect(seen.length).toBeLessThanOrEqual(names.length);
          after = page.next;
          if (after === undefined) break;
        }
        expect(seen).toEqual(all.documents.map(({ id }) => id));
      }
    });
  });
}

function ids(hits: readonly ScoredPassage[]): string[] {
  return hits.map(({ passage }) => passage.id);
}
