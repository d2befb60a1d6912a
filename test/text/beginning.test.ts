import { expect, test } from "vitest";
import { beginning } from "../../src/text/beginning.ts";

test("the beginning of a text has at most so many units, and never half a character", () => {
  const text = "가a🏝️😀";
  const all = Array.from({ length: text.length + 2 }, (_, units) => beginning(text, units));
  expect(all).toEqual(["", "가", "가a", "가a", "가a🏝", "가a🏝️", "가a🏝️", text, text]);
});
