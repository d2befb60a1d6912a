import fc from "fast-check";
import tokens from "gpt-tokenizer/bpeRanks/o200k_base";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { expect, test } from "vitest";
import { BytePairs, packTokens } from "../../src/adapters/token-counter/byte-pairs.ts";

const pairs = new BytePairs(packTokens(tokens));
const count = (text: string) => pairs.count(text, 0, text.length);

test("every token of the vocabulary is one", () => {
  const texts = tokens.filter((token) => typeof token === "string");
  expect(texts.length).toBeGreaterThan(190_000);
  expect(texts.filter((text) => count(text) !== 1)).toEqual([]);
});

test("pairs are merged in the order of their ranks", () => {
  const small = new BytePairs(packTokens(["a", "b", "c", "bc", "ab", [0xed, 0x87]]));
  expect(small.count("abc", 0, 3)).toBe(2);
  expect(small.count("aabbcc", 0, 6)).toBe(4);
  expect(small.count("xabcx", 1, 3)).toBe(1);
  expect(small.count("", 0, 0)).toBe(0);
  // Three bytes, of which two are a token by themselves; bytes that no token has are one each.
  expect(small.count("퇴", 0, 1)).toBe(2);
  expect(small.count("z", 0, 1)).toBe(1);
});

test("words of any script count as the package counts them", () => {
  const letters = fc.constantFrom(..."abcxyzABCéßжשحकไ가나다퇴직금각힣漢字かなカ𠮷");
  fc.assert(
    fc.property(fc.array(letters, { minLength: 1, maxLength: 40 }), (word) => {
      for (const text of encodedPieces(word.join(""))) expect(count(text)).toBe(encode(text).length);
    }),
    { numRuns: 500 },
  );
});

/** As the encoding splits a word. */
function encodedPieces(word: string): string[] {
  return word.match(/[\p{Lu}\p{Lo}]*[\p{Ll}\p{Lo}]+|[\p{Lu}\p{Lo}]+/gu) ?? [];
}
