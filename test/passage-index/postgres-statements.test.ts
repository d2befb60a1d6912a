import { expect, test } from "vitest";
import { boundFilter } from "../../src/adapters/passage-index/postgres-filter.ts";
import { hitsOf, type LegScope, StatementTexts, Values } from "../../src/adapters/passage-index/postgres-legs.ts";
import type { Readable } from "../../src/adapters/passage-index/postgres-readable.ts";
import { firstPlan, textLeg, weigh } from "../../src/adapters/passage-index/postgres-text.ts";
import type { Filter } from "../../src/types.ts";

const found = {
  passages: 1000,
  tokens: 50_000,
  frequencies: new Map([
    [11, 10],
    [12, 400],
    [13, 900],
  ]),
} as unknown as Readable;

/** A text leg's statement, as a search makes it. */
function statement(terms: readonly number[], filter: Filter | null, postingsMin = 20, limit = 20) {
  const values = new Values();
  const bound = filter && boundFilter(filter, values.bind);
  const scope: LegScope = {
    values,
    readers: values.bind("{1}", "int[]"),
    limit: values.bind(limit, "int"),
    depth: limit,
    filter: bound && { shape: bound.shape, many: (document) => bound.condition((part) => `${document}: ${part}`) },
  };
  const plan = firstPlan(weigh(new Map(terms.map((term) => [term, 1])), found), postingsMin);
  return { values: values.all, part: hitsOf(textLeg(plan, found, scope), null, null, "true") };
}

test("questions of one shape have one text, whatever their words and the filter's values are", () => {
  const texts = new StatementTexts();
  const one = statement([11, 12], { year: { $gte: 2020 }, 부서: "인사" });
  const other = statement([11, 13], { year: { $gte: 1999 }, 부서: "총무" });
  expect(one.values).not.toEqual(other.values);
  expect(texts.of(one.part)).toBe(one.part.sql());
  expect(texts.of(other.part)).toBe(other.part.sql());
  expect(one.part.shape).toBe(other.part.shape);
});

test.each([
  ["a filter", statement([11, 12], { year: 2020 })],
  ["another operator", statement([11, 12], { year: { $gt: 2020 } })],
  ["a negated filter", statement([11, 12], { $not: { year: { $gte: 2020 } } })],
  ["words that are all read", statement([11], null)],
  ["a higher bound of what is read", statement([11, 12], null, 10_000)],
  ["more that is wanted", statement([11, 12], null, 20, 40)],
])("%s makes a text of its own, and another shape", (_, { part }) => {
  const plain = statement([11, 12], { year: { $gte: 2020 } }).part;
  expect(part.sql()).not.toBe(plain.sql());
  expect(part.shape).not.toBe(plain.shape);
});

test("every value of a statement is used in its text, and none that is not there", () => {
  for (const terms of [[11], [11, 12], [11, 12, 13]]) {
    for (const filter of [null, { $or: [{ year: { $in: [1, 2] } }, { 부서: { $ne: "인사" } }] } as Filter]) {
      const { values, part } = statement(terms, filter);
      const named = new Set([...part.sql().matchAll(/\$(\d+)::/g)].map(([, number]) => Number(number)));
      expect([...named].sort((a, b) => a - b)).toEqual(values.map((_, i) => i + 1));
    }
  }
});
