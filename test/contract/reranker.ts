import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Reranker } from "../../src/ports/reranker.ts";
import { call } from "../support/calls.ts";

export interface OpenedReranker {
  readonly reranker: Reranker;
  /** Calls that went out to an endpoint so far; 0 where there is none. */
  calls(): number;
  close(): Promise<void>;
}

/** The numbered rules of `ports/reranker.ts`. */
export function rerankerContract(name: string, open: () => Promise<OpenedReranker>): void {
  describe(`reranker: ${name}`, () => {
    let opened: OpenedReranker;
    let reranker: Reranker;
    const indices = async (query: string, texts: readonly string[]) =>
      (await reranker.rerank(query, texts, call())).map(({ index }) => index);

    beforeAll(async () => {
      opened = await open();
      reranker = opened.reranker;
    });
    afterAll(() => opened.close());

    test("2: every index exactly once, scores finite and falling", async () => {
      const texts = Array.from(
        { length: 25 },
        (_, i) => `문서 ${i}: ${"퇴직금 지급 기한 ".repeat(i % 4)} severance ${i}`,
      );
      const scores = await reranker.rerank("퇴직금 지급 기한", texts, call());
      expect(scores.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([...texts.keys()]);
      const values = scores.map(({ score }) => score);
      expect(values.every(Number.isFinite)).toBe(true);
      expect(values).toEqual(values.toSorted((a, b) => b - a));
    });

    test("lifts the text that answers above one that does not", async () => {
      const ko = ["주차장은 지하에 있다.", "퇴직금은 14일 안에 지급한다."];
      const en = ["The car park is below the building.", "Severance pay is due within 14 days."];
      expect((await indices("퇴직금은 며칠 안에 지급한다?", ko))[0]).toBe(1);
      expect((await indices("when is severance pay due", en))[0]).toBe(1);
    });

    test("equal texts keep the order of search", async () => {
      expect(await indices("휴가", Array(6).fill("휴가 규정"))).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test("a query without words, blank texts and odd characters are no failure", async () => {
      expect((await indices("?!", ["a", "", "글"])).toSorted()).toEqual([0, 1, 2]);
      expect((await indices("휴가", ["", " ", "\ud83d"])).toSorted()).toEqual([0, 1, 2]);
    });

    test("3: no texts: no scores, and no call", async () => {
      const before = opened.calls();
      expect(await reranker.rerank("휴가", [], call())).toEqual([]);
      expect(opened.calls()).toBe(before);
    });
  });
}
