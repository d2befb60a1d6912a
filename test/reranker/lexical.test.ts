import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";

const { signal } = new AbortController();
const reranker = createLexicalReranker();
const order = async (query: string, texts: string[]) =>
  (await reranker.rerank(query, texts, { signal })).map(({ index }) => index);

const far = ` ${"다른 말 ".repeat(30)} `;

describe("lexical reranker", () => {
  test("prefers the words close together", async () => {
    expect(await order("퇴직금 중간정산", [`퇴직금${far}중간정산`, "퇴직금의 중간정산"])).toEqual([1, 0]);
    expect(await order("annual leave policy", [`annual ${far} policy`, "the policy on annual leave"])).toEqual([1, 0]);
  });

  test("words that all texts hold change nothing", async () => {
    expect(await order("휴가 규정", ["휴가 규정", "휴가와 규정", "휴가 규정은"])).toEqual([0, 1, 2]);
  });

  test("keeps the order of search where no text holds a word of the query", async () => {
    expect(await order("비밀번호", ["password", "leave", "pay"])).toEqual([0, 1, 2]);
    expect(await order("", ["password", "leave"])).toEqual([0, 1]);
  });

  test("a text rises by fewer than three places", async () => {
    const texts = [...Array.from({ length: 9 }, () => "nothing here"), "severance pay"];
    expect((await order("severance pay", texts)).indexOf(9)).toBe(7);
  });

  test("no texts, no scores", async () => {
    expect(await reranker.rerank("휴가", [], { signal })).toEqual([]);
  });

  test("gives every index once, best first, the same each time, whatever the texts", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "grapheme" }),
        fc.array(fc.string({ unit: "grapheme" })),
        async (query, texts) => {
          const scores = await reranker.rerank(query, texts, { signal });
          expect(scores.map(({ index }) => index).sort((a, b) => a - b)).toEqual(texts.map((_, i) => i));
          expect(scores).toEqual(scores.toSorted((a, b) => b.score - a.score));
          expect(scores.every(({ score }) => score >= 0 && score <= 1 + 1e-9)).toBe(true);
          expect(await reranker.rerank(query, texts, { signal })).toEqual(scores);
        },
      ),
    );
  });
});
