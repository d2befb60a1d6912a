import fc from "fast-check";
import { expect, test } from "vitest";
import { MilvusPostings, Shelf } from "../../src/adapters/passage-index/milvus-postings.ts";
import { readScanned, scannedCounts, termScore } from "../../src/adapters/passage-index/milvus-scanned.ts";

const word = fc.integer({ min: 1, max: 12 });
const passages = fc.array(
  fc.tuple(fc.dictionary(word.map(String), fc.integer({ min: 64, max: 1000 })), fc.integer({ min: 1, max: 200 })),
  { maxLength: 60 },
);
const asked = fc.uniqueArray(
  fc.tuple(
    word,
    fc.integer({ min: 1, max: 90 }).map((w) => w / 10),
  ),
  {
    selector: ([hash]) => hash,
    maxLength: 8,
  },
);

function stored(all: readonly (readonly [Record<string, number>, number])[]) {
  return all.map(([counts, length], i) => {
    const words = new Map(Object.entries(counts).map(([hash, count]) => [Number(hash), count]));
    return { id: `g:${i}`, document: `d${i}`, words: readScanned(scannedCounts(words, length)) };
  });
}

test("of the passages with one of the first words, the best by all of them are among what is found, whole and in all ties", () => {
  fc.assert(
    fc.property(passages, asked, fc.nat({ max: 8 }), fc.integer({ min: 1, max: 10 }), (all, pairs, some, limit) => {
      const held = stored(all);
      const terms = pairs.toSorted(([, a], [, b]) => b - a);
      const essential = Math.min(some, terms.length);
      const hashes = terms.slice(0, essential).map(([hash]) => hash);
      const shelf = new Shelf(null, 50);
      // Some are known before others are read.
      shelf.postingsOf(hashes.slice(0, 1), held.slice(20));
      const postings = shelf.postingsOf(hashes, held);
      const scoreOf = ({ words }: (typeof held)[number]) =>
        terms.reduce((sum, [hash, weight]) => sum + termScore(words, hash, weight, 50), 0);
      const holding = held.filter(({ words }) => hashes.some((hash) => words.hashes.includes(hash)));
      const exact = holding.map((one) => ({ id: one.id, score: scoreOf(one) })).toSorted((a, b) => b.score - a.score);
      const worst = exact[Math.min(limit, exact.length) - 1]?.score ?? 0;
      // Twice: what a ranking leaves behind is not seen by the next one.
      for (let i = 0; i < 2; i++) {
        const best = shelf.best(terms, (hash) => postings.get(hash), limit);
        const scores = new Map(best.map(({ id, score }) => [id, score]));
        for (const { id, score } of exact) if (score >= worst) expect(scores.get(id)).toBeCloseTo(score, 9);
      }
    }),
  );
});

test("what is kept of one version, or by other weights, is not told of another, and a passage stays one through all postings", () => {
  const index = new MilvusPostings();
  const held = stored([[{ "1": 64, "2": 64 }, 10]]);
  const first = index.shelf("a", "v1", 50);
  index.keep(first, first.postingsOf([1], held));
  const again = index.shelf("a", "v1", 50);
  index.keep(again, again.postingsOf([2], held));
  expect([...index.shelf("a", "v1", 50).postings.values()].map(({ candidates }) => [...candidates])).toEqual([
    [0],
    [0],
  ]);
  const others = [index.shelf("a", null, 50), index.shelf("b", "v1", 50), index.shelf("a", "v2", 50)];
  expect(others.map(({ postings }) => postings.size)).toEqual([0, 0, 0]);
  expect(index.shelf("a", "v2", 60).postings.size).toBe(0);
});

test("what was asked for longest ago goes first where it grows too large", () => {
  const index = new MilvusPostings(32_000_000);
  const held = stored(Array.from({ length: 20_000 }, () => [{ "1": 64, "2": 64 }, 10] as const));
  for (const filter of ["a", "b", "c"]) {
    const shelf = index.shelf(filter, "v", 50);
    index.keep(shelf, shelf.postingsOf([1], held));
    if (filter === "b") index.shelf("a", "v", 50);
  }
  const kept = ["c", "a", "b"].map((filter) => index.shelf(filter, "v", 50).postings.size > 0);
  expect(kept).toEqual([true, true, false]);
});
