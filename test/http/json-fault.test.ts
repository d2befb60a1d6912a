import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonFault } from "../../src/http/json-fault.ts";

describe("where a text stops being JSON", () => {
  test.each([
    ["", 1, 1],
    ['{"question":', 1, 13],
    ['{"question": "휴', 1, 16],
    ["question=hello", 1, 1],
    ['{"top": NaN}', 1, 9],
    ["{} {}", 1, 4],
    ['{"a": 1 "b"}', 1, 9],
    ['{"a": 1,}', 1, 9],
    ["[1, 2", 1, 6],
    ["[1, 2}", 1, 6],
    ["[,]", 1, 2],
    ["{1: 2}", 1, 2],
    ['{"a" 1}', 1, 6],
    ['{"a": 01}', 1, 8],
    ['{\n  "질문": "휴가",\n  "top": five\n}', 3, 10],
    ['{"a": "b\\x"}', 1, 10],
    ['{"a": "b\n"}', 1, 9],
    ['{"a\\"": }', 1, 9],
    ['{"a": true false}', 1, 12],
    ['[{"a": {}}, [], nope]', 1, 17],
    ["x JSON at position 9", 1, 1],
    ["1.5 JSON at position 9", 1, 5],
  ])("%j: line %i, column %i", (text, line, column) => {
    expect(jsonFault(text)).toEqual({ line, column });
  });

  test("nowhere, where it is", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonFault(text)).toBeNull();
      }),
    );
  });

  test("at a sign that was put in where none may stand, or just behind it", () => {
    const put = (text: string, at: number) => `${text.slice(0, at)}\u0007${text.slice(at)}`;
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, n) => {
        const at = n % (text.length + 1);
        expect(jsonFault(put(text, at))).toEqual({ line: 1, column: expect.any(Number) });
        const column = jsonFault(put(text, at))?.column ?? 0;
        const startOfWord = text.slice(0, at).search(/[\w.+-]*$/) + 1;
        expect(column).toBeGreaterThanOrEqual(startOfWord);
        expect(column).toBeLessThanOrEqual(at + 1);
      }),
    );
  });

  test("a million levels deep, and in a million escapes", () => {
    const depth = 1_000_000;
    expect(jsonFault(`${"[".repeat(depth)}x`)).toEqual({ line: 1, column: depth + 1 });
    expect(jsonFault(`["${"\\n".repeat(depth)}", x]`)).toEqual({ line: 1, column: 2 * depth + 6 });
  });
});
