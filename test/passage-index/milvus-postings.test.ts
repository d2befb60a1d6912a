import { expect, test } from "vitest";
import { MilvusPostings, Shelf } from "../../src/adapters/passage-index/milvus-postings.ts";
import { readScanned, scannedCounts } from "../../src/adapters/passage-index/milvus-scanned.ts";

function stored(all: readonly (readonly [Record<string, number>, number])[]) {
  return all.map(([counts, length], i) => {
    const words = new Map(Object.entries(counts).map(([hash, count]) => [Number(hash), count]));
    return { id: `g:${i}`, document: `d${i}`, words: readScanned(scannedCounts(words, length)) };
  });
}

test("what is kept of one version, or by other weights, is not told of another, and a passage stays one through all postings", () => {
  const index = new MilvusPostings();
  const held = stored([[{ "1": 64, "2": 64 }, 10]]);
  const first = index.shelf("a", "v1", 50);
  index.keep(first, first.postingsOf([1], held));
  const again = index.shelf("a", "v1", 50);
  index.keep(again, again.postingsOf([2], held));
  expect([...index.shelf("a", "v1", 50).postings.values()].map((one) => [...(one?.candidates ?? [])])).toEqual([
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

test("of a word that nobody has read those are found that are known, also once there are more", () => {
  const held = stored([
    [{ "1": 64, "2": 128 }, 10],
    [{ "1": 64 }, 10],
    [{ "1": 64, "2": 64 }, 20],
  ]);
  const shelf = new Shelf("v", 50);
  shelf.postingsOf([1], held.slice(0, 2));
  const first = shelf.lookFor(2);
  expect([...first.candidates]).toEqual([0]);
  shelf.postingsOf([1], held);
  const { candidates, shares, shareMax } = shelf.lookFor(2);
  expect([...candidates]).toEqual([0, 2]);
  expect(shares[0]).toBe(first.shares[0]);
  expect(shareMax).toBe(Math.max(...shares));
  const before = shelf.bytes;
  // As many as were looked for: what is read takes their place.
  shelf.keep(shelf.postingsOf([2], held));
  expect(shelf.lookFor(2).candidates.length).toBe(2);
  expect(shelf.bytes - before).toBeLessThan(1000);
});

test("a word of more passages than are read counts in all that are known, also once there are more", () => {
  const held = stored([
    [{ "1": 64, "2": 128 }, 10],
    [{ "3": 64, "2": 64 }, 20],
  ]);
  const shelf = new Shelf("v", 50);
  shelf.postingsOf([1], held.slice(0, 1));
  const nothing = new Map();
  expect(shelf.postingOf(2, nothing)).toBe(undefined);
  expect([...(shelf.postingOf(2, new Map([[2, null]]))?.candidates ?? [])]).toEqual([0]);
  expect(shelf.postings.size).toBe(0);
  shelf.keep(new Map([[2, null]]));
  shelf.postingsOf([3], held.slice(1));
  expect([...(shelf.postingOf(2, nothing)?.candidates ?? [])]).toEqual([0, 1]);
  expect(shelf.postings.size).toBe(1);
});
