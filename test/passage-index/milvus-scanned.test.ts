import fc from "fast-check";
import { expect, test } from "vitest";
import { countOf, readScanned, scannedCounts } from "../../src/adapters/passage-index/milvus-scanned.ts";

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

test("a word's count is found among a passage's words, and none of a word that it lacks", () => {
  fc.assert(
    fc.property(counts, fc.array(hash, { maxLength: 5 }), fc.integer({ min: 1, max: 500 }), (words, others, length) => {
      const scanned = readScanned(scannedCounts(words, length));
      for (const one of [...others, ...words.keys()]) expect(countOf(scanned, one)).toBe(words.get(one) ?? null);
    }),
  );
});
