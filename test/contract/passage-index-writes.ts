import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Scope } from "../../src/types.ts";
import { call, scope, until } from "../support/calls.ts";
import { MODEL, type OpenedPassageIndex } from "./passage-index.ts";
import { DIMENSIONS, document, passage, unit } from "./passages.ts";

/** Rules 2, 5 and 6 of `ports/passage-index.ts`, `version`, `delete`, and commits of another process. */
export function passageIndexWritesContract(name: string, open: () => Promise<OpenedPassageIndex>): void {
  describe(`passage index: ${name}: writing`, () => {
    let opened: OpenedPassageIndex;
    let index: PassageIndex;
    let made = 0;
    const fresh = () => scope({ collection: `w${++made}` });

    beforeAll(async () => {
      opened = await open();
      index = opened.index;
    });
    afterAll(() => opened.close());

    const found = async (where: Scope, text: string, by = index) => {
      const { byText } = await by.search(where, { text, limit: 50 }, call());
      return byText.map(({ passage }) => passage.text).toSorted();
    };

    test("2: what replace stored, the next search finds, and the old version is gone", async () => {
      const where = fresh();
      for (let version = 0; version < 5; version++) {
        const passages = Array.from({ length: 5 - version }, (_, i) => passage(`휴가 판 ${version} 절 ${i}`, i));
        await index.replace(where, document("d", { hash: `v${version}` }), passages, call());
        expect(await found(where, "휴가")).toEqual(passages.map(({ text }) => text).toSorted());
        const { byVector } = await index.search(where, { vector: unit(0), limit: 50 }, call());
        expect(byVector).toHaveLength(5 - version);
        expect(await index.find(where, "d", call())).toMatchObject({ hash: `v${version}`, passages: 5 - version });
      }
    });

    test("`purge` takes nothing that is there, and may be asked of a collection that was never written", async () => {
      const where = fresh();
      await index.purge?.(where, call());
      await index.replace(where, document("a"), [passage("휴가 하나", 0)], call());
      await index.replace(where, document("b"), [passage("휴가 둘", 1)], call());
      await index.delete(where, "a", call());
      await index.purge?.(where, call());
      expect(await found(where, "휴가")).toEqual(["휴가 둘"]);
      expect(await index.status(where, call())).toMatchObject({ documents: 1, passages: 1 });
    });

    test("2: a searcher sees all of the old version or all of the new one", async () => {
      const where = fresh();
      const version = (mark: string, length: number) =>
        Array.from({ length }, (_, i) => passage(`휴가 ${mark} ${i}`, i % DIMENSIONS));
      await index.replace(where, document("d"), version("짝", 6), call());
      let writing = true;
      let seen = 0;
      const reader = async () => {
        while (writing) {
          const marks = (await found(where, "휴가")).map((text) => text.split(" ")[1]);
          const [mark] = marks;
          expect(new Set(marks).size).toBe(1);
          expect(marks).toHaveLength(mark === "짝" ? 6 : 9);
          seen++;
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const readers = [reader(), reader()];
      for (let i = 0; i < 40; i++) {
        await index.replace(where, document("d"), i % 2 ? version("짝", 6) : version("홀", 9), call());
      }
      writing = false;
      await Promise.all(readers);
      expect(seen).toBeGreaterThan(20);
    });

    test("a document without passages is listed and not found by search", async () => {
      const where = fresh();
      await index.replace(where, document("d"), [passage("휴가", 0)], call());
      await index.replace(where, document("d"), [], call());
      expect(await found(where, "휴가")).toEqual([]);
      expect(await index.find(where, "d", call())).toMatchObject({ passages: 0 });
    });

    test("passages without a vector are found by text alone", async () => {
      const where = fresh();
      await index.replace(where, document("d"), [passage("휴가 하나", null), passage("휴가 둘", 1)], call());
      expect(await found(where, "휴가")).toHaveLength(2);
      const { byVector } = await index.search(where, { vector: unit(1), limit: 9 }, call());
      expect(byVector.map(({ passage }) => passage.text)).toEqual(["휴가 둘"]);
    });

    test("delete takes the document, its passages and nothing else", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("휴가 하나", 0)], call());
      await index.replace(where, document("b"), [passage("휴가 둘", 1)], call());
      expect(await index.delete(where, "a", call())).toBe(true);
      expect(await index.delete(where, "a", call())).toBe(false);
      expect(await index.has(where, "a", call())).toBe(false);
      expect(await found(where, "휴가")).toEqual(["휴가 둘"]);
      expect(await index.status(where, call())).toMatchObject({ documents: 1, passages: 1 });
    });

    test("5: vectors of another length are refused, in documents and in queries, naming both lengths", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("글", 0)], call());
      const wrong = { ...passage("글", null), vector: unit(0, 16) };
      const names = { code: "conflict", message: expect.stringMatching(/16.*8|8.*16/) };
      await expect(index.replace(where, document("a"), [wrong], call())).rejects.toMatchObject(names);
      await expect(index.search(where, { vector: unit(0, 16), limit: 3 }, call())).rejects.toMatchObject(names);
      expect(await found(where, "글")).toEqual(["글"]);
    });

    test("what is not a number is refused, in documents and in queries, before anything is lost", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("옛 글", 0)], call());
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const vector = unit(0).fill(value, 3, 4);
        const refused = { code: "request_invalid", message: expect.stringContaining("vector") };
        await expect(index.search(where, { vector, limit: 3 }, call())).rejects.toMatchObject(refused);
        const wrong = { ...passage("새 글", null), vector };
        await expect(index.replace(where, document("a"), [wrong], call())).rejects.toMatchObject(refused);
      }
      expect(await found(where, "글")).toEqual(["옛 글"]);
    });

    test("5: another vector space is refused, naming both; text may still be searched", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("글", 0)], call());
      const other = await opened.another("other-space");
      const names = { code: "conflict", message: expect.stringMatching(new RegExp(`${MODEL}[^]*other-space`)) };
      await expect(other.index.replace(where, document("b"), [passage("글", 0)], call())).rejects.toMatchObject(names);
      await expect(other.index.search(where, { vector: unit(0), limit: 3 }, call())).rejects.toMatchObject(names);
      expect(await found(where, "글", other.index)).toEqual(["글"]);
      expect((await index.status(where, call())).documents).toBe(1);
      await other.close();
    });

    test("5: while nothing is stored any vector space may begin, also after everything was deleted", async () => {
      const where = fresh();
      expect((await index.status(where, call())).embedder).toBeNull();
      await index.replace(where, document("a"), [passage("글", 0)], call());
      expect((await index.status(where, call())).embedder).toBe(MODEL);
      await index.delete(where, "a", call());
      expect((await index.status(where, call())).embedder).toBeNull();
      const other = await opened.another("other-space", 16);
      const wide = { ...passage("새 글", null), vector: unit(3, 16) };
      await other.index.replace(where, document("b"), [wide], call());
      expect((await index.status(where, call())).embedder).toBe("other-space");
      expect((await other.index.search(where, { vector: unit(3, 16), limit: 3 }, call())).byVector).toHaveLength(1);
      await other.close();
    });

    test("version changes with every change of the collection, and with no other's", async () => {
      const where = fresh();
      const seen = [await index.version(where, call())];
      await index.replace(where, document("a"), [passage("글", 0)], call());
      seen.push(await index.version(where, call()));
      await index.replace(where, document("a"), [passage("글 둘", 0)], call());
      seen.push(await index.version(where, call()));
      await index.delete(where, "a", call());
      seen.push(await index.version(where, call()));
      expect(new Set(seen).size).toBe(4);
      await index.replace(fresh(), document("a"), [passage("글", 0)], call());
      expect(await index.version(where, call())).toBe(seen[3]);
    });

    test("what another process commits is found here, by the next search or within the time it may take", async () => {
      const where = fresh();
      const other = await opened.another();
      const { othersSeenWithinMs = 0 } = opened;
      const finds = async (texts: readonly string[], by = index) => {
        if (othersSeenWithinMs === 0) return expect(await found(where, "휴가", by)).toEqual(texts);
        const isFound = async () => isDeepStrictEqual(await found(where, "휴가", by), texts);
        // Five times as long where other programs have the core.
        return until(`${texts.join()} found`, isFound, 5 * othersSeenWithinMs);
      };
      expect(await found(where, "휴가")).toEqual([]);
      await other.index.replace(where, document("a"), [passage("휴가 하나", 0)], call());
      await finds(["휴가 하나"]);
      await index.replace(where, document("b"), [passage("휴가 둘", 1)], call());
      await other.index.replace(where, document("a"), [passage("휴가 셋", 0)], call());
      for (const by of [index, other.index]) await finds(["휴가 둘", "휴가 셋"], by);
      await other.index.delete(where, "b", call());
      expect(await found(where, "휴가", other.index)).toEqual(["휴가 셋"]);
      await finds(["휴가 셋"]);
      expect(await index.version(where, call())).toBe(await other.index.version(where, call()));
      await other.close();
    });

    test("6: what its writer may not read is not replaced, nor what everyone reads by what its writer may not", async () => {
      const where = fresh();
      const hr = { ...where, groups: ["hr"] };
      const write = (by: Scope, groups: readonly string[], text: string) =>
        index.replace(by, document("d", { groups: [...groups] }), [passage(text, 0)], {
          ...call(),
          readableOnly: true,
        });
      const taken = { code: "conflict", retryable: false, message: expect.stringMatching(/^id: "d" is taken/) };
      const hiding = {
        code: "conflict",
        retryable: false,
        message: expect.stringMatching(/^groups: you may read "d"/),
      };
      await write(where, ["hr"], "휴가 하나");
      await expect(write(where, [], "휴가 둘")).rejects.toMatchObject(taken);
      await expect(write(where, ["hr"], "휴가 둘")).rejects.toMatchObject(taken);
      await expect(write({ ...where, groups: ["it"] }, ["it"], "휴가 둘")).rejects.toMatchObject(taken);
      expect(await found(hr, "휴가")).toEqual(["휴가 하나"]);
      expect(await found(where, "휴가")).toEqual([]);
      await write(hr, [], "휴가 셋");
      await expect(write(where, ["hr"], "휴가 넷")).rejects.toMatchObject(hiding);
      expect(await found(where, "휴가")).toEqual(["휴가 셋"]);
      expect(await index.find(where, "d", call())).toMatchObject({ groups: [], passages: 1 });
      await write(where, [], "휴가 다섯");
      await write(hr, ["hr", "it"], "휴가 여섯");
      expect(await found(where, "휴가")).toEqual([]);
      expect(await found({ ...where, groups: ["it"] }, "휴가")).toEqual(["휴가 여섯"]);
      expect(await index.status(hr, call())).toMatchObject({ documents: 1, passages: 1 });
      await index.replace(where, document("d"), [passage("휴가 일곱", 0)], call());
      expect(await found(where, "휴가")).toEqual(["휴가 일곱"]);
    });

    test("6: of writers at once who may not read each other's, one is acknowledged and its document there", async () => {
      const where = fresh();
      const writers = [[], ["hr"], ["it"]];
      const other = await opened.another();
      const indexes = opened.hasNoConditionalWrites ? [index] : [index, other.index];
      for (let round = 0; round < 8; round++) {
        const id = `d${round}`;
        const outcomes = await Promise.allSettled(
          writers.map((groups, i) => {
            const text = passage(`휴가 ${round} ${groups}`, 0);
            const by = { ...where, groups };
            const writing = indexes[(i + round) % indexes.length] ?? index;
            return writing.replace(by, document(id, { groups }), [text], { ...call(), readableOnly: true });
          }),
        );
        const refused = outcomes.filter((outcome) => outcome.status === "rejected");
        for (const { reason } of refused) expect(reason).toMatchObject({ code: "conflict", retryable: false });
        const stored = await index.find({ ...where, groups: ["hr", "it"] }, id, call());
        const won = outcomes.flatMap((outcome, i) => (outcome.status === "fulfilled" ? [writers[i]] : []));
        // Whoever is of a group reads what everyone may, and replaces it by the group's.
        expect(won.length).toBe(won[0]?.length === 0 ? Math.min(won.length, 2) : 1);
        expect(stored?.groups).toEqual(won.at(-1));
      }
      expect(await index.status({ ...where, groups: ["hr", "it"] }, call())).toMatchObject({
        documents: 8,
        passages: 8,
      });
      await other.close();
    });

    test("documents written at once are all there", async () => {
      const where = fresh();
      const names = Array.from({ length: 60 }, (_, i) => `d${i}`);
      await Promise.all(names.map((id) => index.replace(where, document(id), [passage(`휴가 ${id}`, 0)], call())));
      expect(await index.status(where, call())).toMatchObject({ documents: 60, passages: 60 });
      expect((await index.search(where, { text: "휴가", limit: 100 }, call())).byText).toHaveLength(60);
    });
  });
}
