import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CitationFilter } from "../../src/pipeline/citations.ts";
import { OutsideCode } from "../../src/pipeline/outside-code.ts";

function filtered(parts: readonly string[], passages = 2): string {
  const filter = new OutsideCode(new CitationFilter(passages));
  return parts.map((part) => filter.push(part)).join("") + filter.end();
}

const cases: [string, string][] = [
  ["`items[0]` is the first [1][9].", "`items[0]` is the first [1]."],
  ["``a ` b[9]`` and [9] [2]", "``a ` b[9]`` and [2]"],
  [
    "```js\nconst all = [1, 2, 3];\nall[7]\n```\nSo it is [7] [2].",
    "```js\nconst all = [1, 2, 3];\nall[7]\n```\nSo it is [2].",
  ],
  ["글입니다 [9].\n  ````\n```\n[9]\n````\n끝 [9] [1]", "글입니다.\n  ````\n```\n[9]\n````\n끝 [1]"],
  ["```\nx[9]", "```\nx[9]"],
  ["1. ```bash\nls a[9]\n   ```\nSee [1] and [9].", "1. ```bash\nls a[9]\n   ```\nSee [1] and."],
  ["> - ```\n> a[9]\n> ```\n[9] [2]", "> - ```\n> a[9]\n> ```\n [2]"],
  // A backtick that nothing closes on its line is none.
  ["the ` key [9] and [1]\nand ` too [9]", "the ` key and [1]\nand ` too"],
  ["see ```a[9]``` [9]", "see ```a[9]```"],
  [`\`${"a".repeat(300)}[9]\``, `\`${"a".repeat(300)}\``],
  ["`` [9]", "``"],
  ["`a[9]`", "`a[9]`"],
];

describe("what stands in code cites nothing", () => {
  test.each(cases)("%j", (said, shown) => {
    expect(filtered([said])).toBe(shown);
    expect(filtered([...said])).toBe(shown);
  });

  test("however the text is split", () => {
    const text = fc
      .array(fc.constantFrom("`", "```", "\n", " ", "[1]", "[9]", "[", "a", "가", "\n```\n", "`x[9]`"), {
        maxLength: 40,
      })
      .map((parts) => parts.join(""));
    const property = fc.property(text, fc.array(fc.nat(200), { maxLength: 6 }), (said, cuts) => {
      const at = [0, ...cuts.map((cut) => cut % (said.length + 1)).toSorted((a, b) => a - b), said.length];
      const parts = at.slice(1).map((end, i) => said.slice(at[i], end));
      expect(filtered(parts)).toBe(filtered([said]));
      expect(filtered([...said])).toBe(filtered([said]));
    });
    fc.assert(property, { numRuns: 3000 });
  });

  test("without backticks it is the filter alone", () => {
    const text = fc.array(fc.constantFrom("\n", " ", "[1]", "[9]", "[", "a", "가"), { maxLength: 40 });
    fc.assert(
      fc.property(text, (parts) => {
        const alone = new CitationFilter(2);
        expect(filtered(parts)).toBe(parts.map((part) => alone.push(part)).join("") + alone.end());
      }),
    );
  });

  test("takes time by the length of the text", () => {
    for (const part of ["`", "` ", "``` ", "\n", "\n```\n", "`[1,", "\n `"]) {
      const before = process.cpuUsage();
      const filter = new OutsideCode(new CitationFilter(2));
      for (let i = 0; i < 20_000; i++) filter.push(part);
      filter.end();
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000, JSON.stringify(part)).toBeLessThan(1500);
    }
  });
});
