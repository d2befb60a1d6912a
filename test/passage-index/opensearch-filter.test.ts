import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { filterQuery } from "../../src/adapters/passage-index/opensearch-filter.ts";
import { checkedFields } from "../../src/adapters/passage-index/sortable-filter.ts";
import { sortableValue, sortableValues } from "../../src/adapters/passage-index/sortable-values.ts";
import { filter as anyFilter, content } from "../resident/arbitraries.ts";
import { matches } from "../resident/naive.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");
const order = (a: number) => Math.sign(a);
const storable = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed() && !text.includes("\0"));

describe("values in one keyword field", () => {
  test("numbers are ordered by size, and −0 is 0", () => {
    const number = fc.double({ noNaN: true });
    fc.assert(
      fc.property(number, number, (a, b) => {
        const compared = Buffer.compare(bytes(sortableValue("year", a)), bytes(sortableValue("year", b)));
        expect(order(compared)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  test("strings are ordered by UTF-16 code units, as JavaScript compares them", () => {
    const edges = fc.array(fc.constantFrom("a", "가", "\uD7FF", "\uE000", "\uFFFF", "😀", "\u{10FFFF}"), {
      maxLength: 4,
    });
    const text = fc.oneof(
      storable,
      edges.map((some) => some.join("")),
    );
    fc.assert(
      fc.property(text, text, (a, b) => {
        const compared = Buffer.compare(bytes(sortableValue("f", a)), bytes(sortableValue("f", b)));
        expect(order(compared)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
      { numRuns: 1000 },
    );
  });
});

test("a filter's query means what the filter does", () => {
  fc.assert(
    fc.property(content, anyFilter, ({ metadata }, filter) => {
      checkedFields(filter);
      expect(holds(filterQuery(filter), sortableValues(metadata))).toBe(matches(filter, metadata));
    }),
    { numRuns: 3000 },
  );
});

test("two bounds are one range, so that one value must meet both", () => {
  const query = filterQuery({ year: { $gte: 2020, $lt: 2024 } });
  const [gte, lt] = [2020, 2024].map((year) => sortableValue("year", year));
  expect(query).toEqual({ range: { meta: { gte, lt } } });
});

interface Query {
  readonly bool?: { readonly filter?: Query[]; readonly should?: Query[]; readonly must_not?: Query };
  readonly terms?: { readonly meta: string[] };
  readonly range?: { readonly meta: Readonly<Record<string, string>> };
  readonly match_all?: object;
}

/** A document's keywords against a query, as Lucene would have it: bytes compared with bytes. */
function holds(query: Query, values: readonly string[]): boolean {
  const { bool, terms, range } = query;
  if (terms) return values.some((value) => terms.meta.includes(value));
  if (range) return values.some((value) => isWithin(value, range.meta));
  if (!bool) return query.match_all !== undefined;
  if (bool.must_not) return !holds(bool.must_not, values);
  if (bool.should) return bool.should.some((part) => holds(part, values));
  return (bool.filter ?? []).every((part) => holds(part, values));
}

function isWithin(value: string, bounds: Readonly<Record<string, string>>): boolean {
  return Object.entries(bounds).every(([operator, bound]) => {
    const compared = Buffer.compare(bytes(value), bytes(bound));
    if (operator === "gt") return compared > 0;
    if (operator === "gte") return compared >= 0;
    return operator === "lt" ? compared < 0 : compared <= 0;
  });
}
