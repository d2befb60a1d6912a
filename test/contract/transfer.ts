import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Transfer } from "../../src/ports/transfer.ts";
import type { Document, PassageInput } from "../../src/types.ts";
import { call, scope } from "../support/calls.ts";
import type { OpenedPassageIndex } from "./passage-index.ts";
import { DIMENSIONS, document, passage } from "./passages.ts";

/** By UTF-16 units the first comes after the second, by UTF-8 bytes before it. */
const ASTRAL_PAIR = ["\uffee", "\u{1f600}"];
export const HOSTILE_IDS = [
  ...ASTRAL_PAIR,
  "인사/퇴직금 규정.md",
  "a'b\"c\\d",
  "a#0",
  "a",
  "../../etc/passwd",
  "%00 {} $1 ?",
  "line\nbreak\ttab",
  "__proto__",
  " ",
];

/** A direction that floats hold to their last bit. */
function direction(seed: number): Float32Array {
  const values = Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(seed * 12.9898 + i * 78.233));
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** What `ports/transfer.ts` promises, and that a document that comes from elsewhere keeps its time. */
export function transferContract(name: string, open: () => Promise<OpenedPassageIndex>): void {
  describe(`transfer: ${name}`, () => {
    let opened: OpenedPassageIndex;
    let index: PassageIndex;
    let transfer: Transfer;
    let made = 0;
    const fresh = (groups: string[] = []) => scope({ collection: `moved-${++made}`, groups });

    beforeAll(async () => {
      opened = await open();
      index = opened.index;
      if (!index.transfer) throw new Error("the index was to offer a transfer");
      transfer = index.transfer;
    });
    afterAll(() => opened.close());

    async function expectSame(stored: Document, passages: readonly PassageInput[]): Promise<void> {
      const where = fresh([...stored.groups]);
      await index.replace(where, stored, passages, call());
      const read = await transfer.read(where, stored.id, call());
      expect(read?.document).toEqual(await index.find(where, stored.id, call()));
      expect(read?.document).toEqual({ ...stored, passages: passages.length, indexedAt: expect.any(String) });
      expect(read?.passages).toEqual(passages);
    }

    test("a document comes back whole: texts, headings, pages, metadata, vectors bit for bit", async () => {
      const stored = document("hr/퇴직.md", {
        title: "퇴직금",
        url: "https://example.com/퇴직?q=1",
        source: "/srv/문서/퇴직.md",
        metadata: {
          year: 2024,
          담당: "인사팀",
          tags: ["a", "나"],
          ratio: 0.1 + 0.2,
          big: 1e21,
          draft: false,
          none: [],
        },
        groups: ["인사", "g'\"\\,{}"],
      });
      await expectSame(stored, [
        { text: "퇴직금은 14일 안에\n지급한다. 😀", headings: ["지급", "기한"], tokens: 9, vector: direction(1) },
        { text: "쪽이 있는 글", headings: [], tokens: 3, vector: direction(2), page: 3 },
        { text: "두 쪽에 걸친 글", headings: [""], tokens: 0, vector: null, page: 3, pageEnd: 5 },
      ]);
    });

    test("a document of many passages, and one of none", async () => {
      const many = Array.from({ length: 300 }, (_, i) => ({ ...passage(`조항 ${i}`, 0), vector: direction(i) }));
      await expectSame(document("many"), many);
      await expectSame(document("none"), []);
    });

    test.each(HOSTILE_IDS)("the id %j", async (id) => {
      await expectSame(document(id), [passage("글", 1)]);
    });

    test("vectors of zeros come back as zeros or null", async () => {
      const where = fresh();
      const zero = { ...passage("글", null), vector: new Float32Array(DIMENSIONS) };
      await index.replace(where, document("zero"), [zero], call());
      const read = await transfer.read(where, "zero", call());
      expect([null, zero.vector]).toContainEqual(read?.passages[0]?.vector);
    });

    test("a document that comes from elsewhere keeps its time, any other gets the present one", async () => {
      const where = fresh();
      const indexedAt = "2024-02-29T23:59:59.987Z";
      await index.replace(where, document("old", { indexedAt }), [passage("글", 1)], call());
      expect(await index.find(where, "old", call())).toMatchObject({ indexedAt });
      expect((await transfer.read(where, "old", call()))?.document.indexedAt).toBe(indexedAt);
      const before = Date.now();
      await index.replace(where, document("old"), [passage("글", 1)], call());
      const now = Date.parse((await index.find(where, "old", call()))?.indexedAt ?? "");
      expect(Math.abs(now - before)).toBeLessThan(60_000);
    });

    test("every group is named, and with them every document is listed, in the order of their UTF-8 bytes", async () => {
      const where = fresh();
      const groups = HOSTILE_IDS.map((_, i) => (i % 3 === 0 ? [] : [`부서 ${i}`, "모두"]));
      for (const [i, id] of HOSTILE_IDS.entries()) {
        await index.replace(where, document(id, { groups: groups[i] ?? [] }), [passage("글", 1)], call());
      }
      const named = await index.groups(where, call());
      expect(named.sort()).toEqual([...new Set(groups.flat())].sort());
      const ids: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = { limit: 2, ...(after !== undefined && { after }) };
        const { documents, next } = await index.list({ ...where, groups: named }, page, call());
        ids.push(...documents.map(({ id }) => id));
        if (next === undefined) break;
        after = next;
      }
      expect(ids).toEqual([...HOSTILE_IDS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      expect(ids.indexOf("\uffee")).toBeLessThan(ids.indexOf("\u{1f600}"));
    });

    test("what the scope may not read, what is not there and what is over are null", async () => {
      const where = fresh(["a"]);
      await index.replace(where, document("hidden", { groups: ["a"] }), [passage("글", 1)], call());
      expect(await transfer.read({ ...where, groups: ["b"] }, "hidden", call())).toBeNull();
      expect(await transfer.read(where, "no such id", call())).toBeNull();
      expect(await transfer.read({ ...where, tenant: "another" }, "hidden", call())).toBeNull();
      await index.delete(where, "hidden", call());
      expect(await transfer.read(where, "hidden", call())).toBeNull();
      expect(await index.groups(where, call())).toEqual([]);
      expect(await index.groups(fresh(), call())).toEqual([]);
    });

    test("the tenant's collections are named, where the index can", async () => {
      if (!transfer.collections) return;
      const tenant = `names-${++made}`;
      for (const collection of ["b", "a", "가"]) {
        await index.replace(scope({ tenant, collection }), document("d"), [passage("글", 1)], call());
      }
      expect(await transfer.collections(tenant, call())).toEqual(["a", "b", "가"]);
      expect(await transfer.collections("nobody", call())).toEqual([]);
    });
  });
}
