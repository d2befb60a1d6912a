import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoizedStem, queryTokens, searchTokens } from "../../src/text/tokens.ts";
import { cpuMs } from "../support/cpu.ts";

describe("searchTokens", () => {
  test.each([
    ["Hangul runs as bigrams, a single syllable as itself", "퇴직금은 내 돈", ["퇴직", "직금", "금은", "내", "돈"]],
    ["Latin words by their stem, stop words as they are", "The benefits of running", ["the", "benefit", "of", "run"]],
    ["mixed text by script", "FastAPI에서 response_model", ["fastapi", "에서", "respons", "model"]],
    ["numbers whole", "1,000,000원, 3.14 및 2026년", ["1000000", "원", "3.14", "및", "2026", "년"]],
    ["digits beside letters", "p53 제8조의2", ["p53", "제", "8", "조의", "2"]],
    ["possessives and curly apostrophes", "Einstein’s don't", ["einstein", "don't"]],
    ["full-width and circled forms by NFKC", "ＡＢＣ １２ ①", ["abc", "12", "1"]],
    ["the araea as a middle dot", "일ㆍ가정 일·가정", ["일", "가정", "일", "가정"]],
    ["Han and kana as bigrams", "東京タワー", ["東京", "京タ", "タワ", "ワー"]],
    ["Han beyond the basic plane by character", "𠮷野家 𠮷", ["𠮷野", "野家", "𠮷"]],
    ["other scripts as words", "Привет мир", ["привет", "мир"]],
    ["nothing of punctuation and emoji", " — 🙂 … ", []],
  ])("%s", (_, text, tokens) => {
    expect(searchTokens(text)).toEqual(tokens);
  });

  test("composed and decomposed Hangul give the same tokens", () => {
    expect(searchTokens("퇴직금 중간정산".normalize("NFD"))).toEqual(searchTokens("퇴직금 중간정산"));
  });

  test("every token of 퇴직금 is one of 퇴직금은", () => {
    expect(searchTokens("퇴직금은")).toEqual(expect.arrayContaining(searchTokens("퇴직금")));
  });

  test("is deterministic, and gives no empty or long token, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const tokens = searchTokens(text);
        expect(tokens.every((token) => token.length > 0 && token.length <= 64)).toBe(true);
        expect(searchTokens(text, memoizedStem())).toEqual(tokens);
      }),
    );
  });

  test("reads plain texts as it reads all others", () => {
    const unit = fc.constantFrom(
      ...Array.from("aBzZ가힣한글 .,?!-:;()/\"\n'1’·"),
      "The",
      "running",
      "퇴직금은",
      "user's",
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        // The ellipsis is no part of a token, and not plain.
        expect(searchTokens(text)).toEqual(searchTokens(`${text} …`));
      }),
    );
  });

  test.each(["a", "가", "1,", "1,111", "a'", "1.", "𠮷", "\u0301", "A\ud800", "ㆍ"])(
    "takes linear time on a megabyte of %j",
    (piece) => {
      const text = piece.repeat(1_000_000 / piece.length);
      const started = cpuMs();
      searchTokens(text);
      expect(cpuMs() - started).toBeLessThan(2_000);
    },
  );
});

describe("queryTokens", () => {
  test("leaves stop words out", () => {
    expect(queryTokens("How do I get the severance pay?")).toEqual(["get", "sever", "pai"]);
  });

  test("keeps them where there is nothing else", () => {
    expect(queryTokens("To be or not to be")).toEqual(["to", "be", "or", "not", "to", "be"]);
  });

  test("keeps Latin words in Korean, where they are terms", () => {
    expect(queryTokens("IT 지원팀은 어디?")).toEqual(["it", "지원", "원팀", "팀은", "어디"]);
  });
});
