import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MilvusPostings } from "../../src/adapters/passage-index/milvus-postings.ts";
import { nthBest, type Ranking, type Terms } from "../../src/adapters/passage-index/milvus-ranking.ts";
import { countOf, readScanned, scannedCounts } from "../../src/adapters/passage-index/milvus-scanned.ts";
import { saturated } from "../../src/adapters/passage-index/milvus-terms.ts";

const AVERAGE_LENGTH = 50;
const WORDS = 12;

const word = fc.integer({ min: 1, max: WORDS });
/** Low words are common, high ones rare, as in a text. */
const passage = fc.tuple(
  fc.uniqueArray(
    fc.tuple(word, word).map(([a, b]) => Math.min(a, b)),
    { maxLength: WORDS },
  ),
  fc.integer({ min: 64, max: 1000 }),
  fc.integer({ min: 1, max: 200 }),
);
const asked = fc
  .uniqueArray(fc.tuple(word, fc.integer({ min: 1, max: 90 })), { selector: ([hash]) => hash, maxLength: 8 })
  .map((pairs): Terms => pairs.map(([hash, weight]) => [hash, weight / 10] as const).toSorted(([, a], [, b]) => b - a));

type Stored = ReturnType<typeof stored>[number];

function stored(all: readonly (readonly [readonly number[], number, number])[]) {
  return all.map(([words, count, length], i) => {
    const counts = new Map(words.map((hash) => [hash, count + 4 * hash]));
    return { id: `g:${i}`, document: `d${i}`, words: readScanned(scannedCounts(counts, length)) };
  });
}

function scoreOf({ words }: Stored, terms: Terms): number {
  return terms.reduce((sum, [hash, weight]) => {
    const count = countOf(words, hash);
    return count === null ? sum : sum + weight * saturated(count, words.length, AVERAGE_LENGTH);
  }, 0);
}

function holding(held: readonly Stored[], hash: number): Stored[] {
  return held.filter(({ words }) => words.hashes.includes(hash));
}

/** Reads word after word as it is asked to, and returns what the ranking is in the end. */
function search(index: MilvusPostings, held: readonly Stored[], terms: Terms, limit: number) {
  const shelf = index.shelf("all", "v", AVERAGE_LENGTH);
  for (let reads = 0; ; reads++) {
    const { best, unread } = index.rank(shelf, new Map(), terms, limit);
    const [hash] = unread;
    if (hash === undefined) return { best, reads };
    index.keep(shelf, shelf.postingsOf([hash], holding(held, hash)));
  }
}

function expectBest(found: Ranking["best"], held: readonly Stored[], terms: Terms, limit: number) {
  const exact = held.map((one) => ({ id: one.id, score: scoreOf(one, terms) })).filter(({ score }) => score > 0);
  const worst = exact.toSorted((a, b) => b.score - a.score)[limit - 1]?.score ?? 0;
  const scores = new Map(found.map(({ id, score }) => [id, score]));
  for (const { id, score } of exact) if (score >= worst) expect(scores.get(id)).toBeCloseTo(score, 4);
  for (const { score } of found) expect(score).toBeGreaterThan(worst - 1e-4);
}

describe("ranking what is read word by word", () => {
  test("gives the best of all passages, in all ties, whatever was asked before", () => {
    const cases = fc.tuple(fc.array(passage, { maxLength: 250 }), fc.array(asked, { minLength: 1, maxLength: 4 }));
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 10 }), ([all, questions], limit) => {
        const held = stored(all);
        const index = new MilvusPostings();
        for (const terms of questions) expectBest(search(index, held, terms, limit).best, held, terms, limit);
      }),
    );
  });

  test("reads no common words where rare ones decide", () => {
    const held = stored(
      Array.from({ length: 2000 }, (_, i) => [i < 30 ? [1, 2, 9] : [1, 2], 64 + (i % 7), 40] as const),
    );
    const terms: Terms = [
      [9, 5],
      [2, 0.5],
      [1, 0.4],
    ];
    const index = new MilvusPostings();
    const { best, reads } = search(index, held, terms, 10);
    expect(reads).toBe(1);
    expectBest(best, held, terms, 10);
  });

  test("is the same with few passages that can get in as with many", () => {
    const held = stored(
      Array.from({ length: 3000 }, (_, i) => [[1, 2 + (i % 5), 8 + (i % 3)], 64 + (i % 90), 1 + (i % 70)] as const),
    );
    const terms: Terms = [
      [9, 3],
      [3, 2.5],
      [4, 2],
      [1, 0.5],
    ];
    for (const limit of [1, 20, 200, 1500]) {
      expectBest(search(new MilvusPostings(), held, terms, limit).best, held, terms, limit);
    }
  });
});

test("the n-th best is that of all in order, also of many", () => {
  const scores = fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 400 });
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 300 }), (all, n) => {
      const expected = all.toSorted((a, b) => b - a)[n - 1] ?? Number.NEGATIVE_INFINITY;
      expect(nthBest(Float64Array.from(all), n)).toBe(expected);
    }),
  );
});
