import { expect, test } from "vitest";
import { endsAmidBest, isIdentical, overlap, type Ranking, withTies } from "../../src/migrate/agreement.ts";

const ranked = (ids: string, scores: readonly number[] = []): Ranking =>
  [...ids].map((id, i) => [id, scores[i] ?? 100 - i] as const);

test.each([
  ["the same", ranked("abcdefghijkl"), ranked("abcdefghijkl"), 1, true],
  ["other orders", ranked("abcdefghij"), ranked("jihgfedcba"), 1, false],
  ["one of ten", ranked("abcdefghij"), ranked("abcdefghiX"), 0.9, false],
  ["nothing in common", ranked("abc"), ranked("xyz"), 0, false],
  ["nothing found", [], [], 1, true],
  ["nothing found there", ranked("abc"), [], 0, false],
  ["fewer there", ranked("abcd"), ranked("ab"), 0.75, false],
  [
    "the eleventh there ties with the tenth",
    ranked("abcdefghij"),
    ranked("abcdefghiXj", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1]),
    0.95,
    false,
  ],
  ["equals in other orders", ranked("abcd", [2, 1, 1, 1]), ranked("adcb", [2, 1, 1, 1]), 1, true],
])("rankings: %s", (_, a, b, share, identical) => {
  expect(overlap(a, b)).toBeCloseTo(share, 10);
  expect(overlap(b, a)).toBeCloseTo(share, 10);
  expect([isIdentical(a, b), isIdentical(b, a)]).toEqual([identical, identical]);
});

test("a leg that ends amid equals is taken with all of them", () => {
  const leg = (...scores: number[]) => scores.map((score) => ({ score }));
  expect(withTies(leg(3, 2, 1, 1, 1, 0.5), 3)).toEqual(leg(3, 2, 1, 1, 1));
  expect(withTies(leg(3, 2), 3)).toEqual(leg(3, 2));
  expect(endsAmidBest(leg(...Array.from({ length: 20 }, () => 1)), 20)).toBe(true);
  expect(endsAmidBest(leg(...Array.from({ length: 20 }, (_, i) => 20 - i)), 20)).toBe(false);
  expect(endsAmidBest(leg(1, 1, 1), 20)).toBe(false);
});
