import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { filterExpression, rangedKeys } from "../../src/adapters/passage-index/milvus-filter.ts";
import { LIST_LENGTHS, storedMetadata, textOfHex } from "../../src/adapters/passage-index/milvus-values.ts";
import { checkedFields, sortableFilter } from "../../src/adapters/passage-index/sortable-filter.ts";
import type { Filter } from "../../src/types.ts";
import { filter as anyFilter, content } from "../resident/arbitraries.ts";
import { matches } from "../resident/naive.ts";

type Stored = ReturnType<typeof storedMetadata>;

function expressionOf(filter: Filter): string {
  checkedFields(filter);
  const condition = sortableFilter(filter);
  return filterExpression(condition, new Map(rangedKeys(condition).map((key) => [key, LIST_LENGTHS.slice(0, 3)])));
}

/** What Milvus makes of an expression; null where it compares with what is not there, as its later versions have it. */
function evaluate(expression: string, { meta, sorted }: Stored): boolean | null {
  const js = expression
    .replaceAll(/array_contains_any\(meta, (\[.*?\])\)/g, "any($1)")
    .replaceAll(/array_contains\(meta, ("\w+")\)/g, "any([$1])")
    .replaceAll(/sorted\["(\w+)"\]\[(\d+)\] ([<>]=?) ("\w*")/g, 'cmp("$1", $2, "$3", $4)')
    .replaceAll('part != ""', "true")
    .replaceAll('part == ""', "false");
  const any = (values: readonly string[]) => values.some((value) => meta.includes(value));
  const cmp = (key: string, at: number, operator: string, bound: string): boolean | null => {
    const value = sorted[key]?.[at];
    if (value === undefined) return null;
    if (operator === ">") return value > bound;
    if (operator === ">=") return value >= bound;
    return operator === "<" ? value < bound : value <= bound;
  };
  return kleene(js, any, cmp);
}

/** Reads `a and (b or (not c))` by three-valued logic. */
function kleene(
  text: string,
  any: (values: readonly string[]) => boolean,
  cmp: (key: string, at: number, operator: string, bound: string) => boolean | null,
): boolean | null {
  const tokens = text.match(/any\(\[.*?\]\)|cmp\(.*?\)|true|false|and|or|not|[()]/g) ?? [];
  let at = 0;
  const primary = (): boolean | null => {
    const token = tokens[at++] ?? "";
    if (token === "not") {
      const value = primary();
      return value === null ? null : !value;
    }
    if (token === "(") {
      const value = disjunction();
      at++;
      return value;
    }
    if (token === "true" || token === "false") return token === "true";
    const args = JSON.parse(`[${token.slice(4, -1)}]`) as unknown[];
    if (token.startsWith("any")) return any(args[0] as string[]);
    const [key, place, operator, bound] = args as [string, number, string, string];
    return cmp(key, place, operator, bound);
  };
  const folded = (operator: string, ends: boolean, next: () => boolean | null) => (): boolean | null => {
    let value = next();
    while (tokens[at] === operator) {
      at++;
      const other = next();
      if (value === ends || other === ends) value = ends;
      else if (value === null || other === null) value = null;
    }
    return value;
  };
  const disjunction = folded("or", true, folded("and", false, primary));
  return disjunction();
}

describe("a filter as an expression of Milvus", () => {
  test("means what the filter does, and compares with nothing that is not there", () => {
    fc.assert(
      fc.property(content, anyFilter, ({ metadata }, filter) => {
        expect(evaluate(expressionOf(filter), storedMetadata(metadata))).toBe(matches(filter, metadata));
      }),
      { numRuns: 3000 },
    );
  });

  test("holds nothing of what was asked for but digests and digits", () => {
    const nasty = 't03" or part != "" \\';
    const expression = expressionOf({ $or: [{ [nasty]: nasty }, { [nasty]: { $gt: nasty, $lte: "나" } }] });
    expect(expression).toMatch(/^[\w\s"(),[\]<>=]*$/);
    expect(expression.match(/or part/)).toBeNull();
    const [, low = ""] = /> "([0-9a-f]+)"/.exec(expression) ?? [];
    expect(textOfHex(low)).toBe(nasty);
  });

  test("lists are filled up to few lengths, which does not change what they hold", () => {
    const { sorted } = storedMetadata({ years: [2022, 2023, 2024], one: 1 });
    const lists = Object.values(sorted).toSorted((a, b) => a.length - b.length);
    expect(lists.map((list) => list.length)).toEqual([1, 4]);
    expect(new Set(lists[1]).size).toBe(3);
  });
});
