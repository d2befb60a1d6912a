import fc from "fast-check";
import { expect, test } from "vitest";
import { readScanned, scannedCounts, termScore } from "../../src/adapters/passage-index/milvus-scanned.ts";
import { saturated } from "../../src/adapters/passage-index/milvus-terms.ts";

const hash = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const counts = fc.dictionary(hash.map(String), fc.integer({ min: 1, max: 2 ** 20 })).map((some) => {
  return new Map(Object.entries(some).map(([key, count]) => [Number(key), count]));
});

test("what is stored of a passage's words is read as it was", () => {
  fc.assert(
    fc.property(counts, fc.nat({ max: 100_000 }), (words, length) => {
      const read = readScanned(scannedCounts(words, length));
      expect(read.length).toBe(length);
      expect([...read.hashes]).toEqual([...words.keys()].sort((a, b) => a - b));
      expect([...read.counts]).toEqual([...read.hashes].map((one) => words.get(one)));
    }),
  );
});

test("the score is the sum over the words that both have", () => {
  fc.assert(
    fc.property(counts, fc.array(hash, { maxLength: 5 }), fc.integer({ min: 1, max: 500 }), (words, others, length) => {
      const asked = [...new Set([...others, ...[...words.keys()].filter((_, i) => i % 2 === 0)])];
      const terms = asked.map((one, i) => [one, 1 + i] as const);
      const expected = terms.reduce((sum, [one, weight]) => {
        const count = words.get(one);
        return count === undefined ? sum : sum + weight * saturated(count, length, 80);
      }, 0);
      const scanned = readScanned(scannedCounts(words, length));
      const score = terms.reduce((sum, [one, weight]) => sum + termScore(scanned, one, weight, 80), 0);
      expect(score).toBeCloseTo(expected, 9);
    }),
  );
});
