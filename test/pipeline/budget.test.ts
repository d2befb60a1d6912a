import fc from "fast-check";
import { expect, test } from "vitest";
import { budgetOf, cutToTokens } from "../../src/pipeline/budget.ts";
import { fakeStages } from "../support/stages.ts";

/** A token begins with every word, and with every fourth of its units. */
const counter = { name: "words", count: (text: string) => text.match(/\S{1,4}/g)?.length ?? 0 };

test("a text is cut to the longest beginning of so many tokens, and to none of less", () => {
  expect(cutToTokens("one two three", 2, counter)).toBe("one two ");
  expect(cutToTokens("연차휴가는 15일", 1, counter)).toBe("연차휴가");
  expect(cutToTokens("one", 1, counter)).toBe("one");
  expect(cutToTokens(`a${" ".repeat(100)}`, 1, counter)).toHaveLength(8);
  for (const tokens of [0, -3]) expect(cutToTokens("one", tokens, counter)).toBe("");
  const text = fc.array(fc.constantFrom("a", "가", " ", "bcde")).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 12 }), (whole, tokens) => {
      const cut = cutToTokens(whole, tokens, counter);
      expect(whole.startsWith(cut)).toBe(true);
      expect(counter.count(cut)).toBeLessThanOrEqual(tokens);
      const isLongest = cut === whole || counter.count(whole.slice(0, cut.length + 1)) > tokens;
      // Eight units a token are the bound.
      expect(isLongest || cut.length === tokens * 8).toBe(true);
    }),
  );
});

test("of a large window no more is used than models read well", () => {
  const { model } = fakeStages();
  const windowOf = (contextTokensMax: number) =>
    budgetOf(fakeStages({ model: { ...model, contextTokensMax }, settings: { preRotTokens: 5000 } })).windowTokens;
  expect([windowOf(4000), windowOf(1_000_000)]).toEqual([4000, 5000]);
});

test("no character is halved", () => {
  expect(cutToTokens("🙂🙂🙂", 1, { name: "units", count: (text) => Math.ceil(text.length / 3) })).toBe("🙂");
});
