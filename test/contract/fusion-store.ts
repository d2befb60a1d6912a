import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fusion } from "../../src/ports/fusion-store.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { call, scope } from "../support/calls.ts";
import { document, passage } from "./passages.ts";

export interface OpenedFusionIndex {
  readonly index: PassageIndex;
  /** The same contents through another connection, as another process would have it. */
  readonly elsewhere: PassageIndex;
  close(): Promise<void>;
}

const CALL = call();

export function learnedFusion(uncovered: number): Fusion {
  const weights = { uncovered, covered: 0.15, questions: 60 };
  return { version: 1, embedder: "test", passages: 12, weights: { ko: weights, en: weights, other: weights } };
}

/** The numbered rules of `ports/fusion-store.ts`, for an index that has one. */
export function fusionStoreContract(name: string, open: () => Promise<OpenedFusionIndex>): void {
  describe(`fusion store: ${name}`, () => {
    let opened: OpenedFusionIndex;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    const stores = () => {
      const { fusion } = opened.index;
      const other = opened.elsewhere.fusion;
      if (!fusion || !other) throw new Error("the index keeps nothing about fusion");
      return { fusion, other };
    };
    const fill = async (collection: string, ids: readonly string[], groups: readonly string[] = []) => {
      const where = scope({ collection, groups: [...groups] });
      for (const id of ids) {
        const texts = [passage(`휴가 ${id} 하나`, 0), passage(`휴가 ${id} 둘`, null)];
        await opened.index.replace(where, document(id, { groups: [...groups] }), texts, CALL);
      }
      return where;
    };

    test("1: samples evenly by document id, the same whatever order documents came in", async () => {
      const there = await fill("there", ["a", "b", "c", "d"]);
      const back = await fill("back", ["d", "c", "b", "a"]);
      const texts = async (where: typeof there, limit: number) =>
        (await stores().fusion.sample(where, limit, CALL)).map(({ text }) => text);
      expect(await texts(there, 4)).toEqual(["휴가 a 둘", "휴가 b 둘", "휴가 c 둘", "휴가 d 둘"]);
      expect(await texts(back, 4)).toEqual(await texts(there, 4));
      expect(await texts(there, 100)).toHaveLength(8);
      expect(await texts(scope({ collection: "nowhere" }), 5)).toEqual([]);
    });

    test("1: gives passages as they are stored, vectors and their absence included", async () => {
      const where = await fill("whole", ["x"]);
      const [first, second] = await stores().fusion.sample(where, 2, CALL);
      expect(first).toMatchObject({ title: "문서 x", headings: [], text: "휴가 x 하나" });
      expect(first?.vector?.[0]).toBe(1);
      expect(second?.vector).toBeNull();
    });

    test("1: samples what the scope may read, as if nothing else were stored", async () => {
      const where = await fill("mixed", ["b", "d", "f"]);
      const own = (await stores().fusion.sample(where, 3, CALL)).map(({ text }) => text);
      await fill("mixed", ["a", "c", "e", "g"], ["hr", "이사회"]);
      const texts = async (groups: readonly string[], limit: number) =>
        (await stores().fusion.sample({ ...where, groups }, limit, CALL)).map(({ text }) => text);
      for (const groups of [[], ["it"], ["hr,이사회"]]) {
        expect(await texts(groups, 3)).toEqual(own);
        expect(await texts(groups, 50)).toHaveLength(6);
      }
      expect(await texts(["이사회"], 50)).toHaveLength(14);
      expect(await stores().fusion.sample({ ...where, tenant: "other", groups: ["hr"] }, 5, CALL)).toEqual([]);
    });

    test("2, 3: the last save counts, for every process, and changes the version", async () => {
      const where = await fill("saved", ["s"]);
      const { fusion, other } = stores();
      expect(await fusion.load(where, CALL)).toBeNull();
      const before = await opened.index.version(where, CALL);
      await fusion.save(where, learnedFusion(0.3), CALL);
      expect(await opened.index.version(where, CALL)).not.toBe(before);
      expect(await other.load(where, CALL)).toEqual(learnedFusion(0.3));
      await other.save(where, learnedFusion(0.6), CALL);
      expect(await fusion.load(where, CALL)).toEqual(learnedFusion(0.6));
      expect(await fusion.load({ ...where, tenant: "other" }, CALL)).toBeNull();
    });

    test("3: an unknown collection keeps nothing", async () => {
      const where = scope({ collection: "unknown" });
      await stores().fusion.save(where, learnedFusion(0.3), CALL);
      expect(await stores().fusion.load(where, CALL)).toBeNull();
    });
  });
}
