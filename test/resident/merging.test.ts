import fc from "fast-check";
import { expect, test } from "vitest";
import { Partition, type ResidentPassage } from "../../src/resident/partition.ts";
import { decodeSegment, encodeSegment } from "../../src/resident/stored.ts";
import { setVector, vectorAt } from "../../src/resident/vectors.ts";
import type { Filter } from "../../src/types.ts";
import { matches, naiveVector } from "./naive.ts";

const passage = (row: number, documentRow: number, text: string): ResidentPassage => ({
  row,
  documentRow,
  ...{ title: "", headings: [], text },
  vector: Float32Array.from({ length: 8 }, (_, d) => Math.sin(row * 1.7 * (d + 1)) / 3),
  metadata: {
    year: row % 50,
    kind: row % 3 === 0 ? "법" : "규정",
    ...(row === 1234 && { only: true }),
    ...(row % 2 === 0 && { tags: ["a", `t${row % 7}`] }),
  },
  groups: [],
});
const ask = (partition: Partition, n: number) =>
  partition.search({
    ...{ text: `휴가 leave ${n % 40}`, limit: 30, groups: [] },
    vector: Float32Array.from({ length: 8 }, (_, d) => Math.cos(n * (d + 1)) / 3),
  });
const inSlices = () => new Promise((resolve) => setImmediate(resolve));

/** Documents of 20 passages, replaced at random, with merges going on in between. */
async function churned(documents: number, changes: number) {
  const partition = new Partition();
  const content = new Map<number, ResidentPassage[]>();
  let row = 0;
  for (let n = 0; n < changes; n++) {
    const document = (Math.imul(n, 2_654_435_761) >>> 0) % documents;
    const isDeleted = n % 11 === 10;
    const added = isDeleted
      ? []
      : Array.from({ length: 20 }, () => passage(++row, document, `휴가 leave ${row % 40} ${n}`));
    partition.apply({ removedDocuments: [document], added }, n);
    content.set(document, added);
    if (n % 3 === 0) await inSlices();
  }
  return { partition, passages: [...content.values()].flat() };
}

test("what is found does not depend on merges and removals: as in an index built at once", async () => {
  const { partition, passages } = await churned(60, 400);
  const fresh = new Partition();
  fresh.apply({ removedDocuments: [], added: passages });
  for (const when of ["while merging", "merged"]) {
    expect(partition.passages, when).toBe(passages.length);
    for (let n = 0; n < 40; n++) expect(ask(partition, n), when).toEqual(ask(fresh, n));
    await partition.merged();
  }
  expect(partition.segments.length).toBeLessThan(12);
});

test("with everything deleted nothing is kept", async () => {
  const { partition, passages } = await churned(40, 120);
  partition.apply({ removedDocuments: passages.map((one) => one.documentRow), added: [] });
  await partition.merged();
  expect([partition.passages, partition.segments.length]).toEqual([0, 0]);
});

test("a segment stored and read back finds the same; a cut one is refused", async () => {
  const { partition, passages } = await churned(60, 300);
  await partition.merged();
  const restored = new Partition();
  restored.vocabulary.intern("다른");
  restored.vocabulary.intern("leave");
  for (const segment of partition.segments) {
    const parts = [...encodeSegment(segment, partition.vocabulary)];
    await expect(decodeSegment(parts.slice(0, -1), restored.vocabulary, 1)).rejects.toThrow("missing");
    const read = await decodeSegment(parts, restored.vocabulary, 1);
    const [from, to] = [segment.arrays.vectors, read.arrays.vectors];
    if (!from || !to) throw new Error("no vectors");
    for (let i = 0; i < segment.size; i++) setVector(to, i, vectorAt(from, i));
    restored.restore(read, []);
  }
  const current = new Set(passages.map((one) => one.row));
  const fresh = new Partition();
  fresh.apply({ removedDocuments: [], added: passages });
  const rows = restored.search({ text: "leave", limit: 10_000, groups: [] }).byText.map((hit) => hit.row);
  expect(rows.filter((row) => current.has(row)).length).toBe(current.size);
});

const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({ year: fc.integer({ min: 0, max: 49 }) }),
  fc
    .tuple(fc.integer({ min: -1, max: 50 }), fc.integer({ min: -1, max: 50 }))
    .map(([$gte, $lt]) => ({ year: { $gte, $lt } })),
  fc.record({ kind: fc.constantFrom("법", "규정") }),
  fc.array(fc.constantFrom("a", "t0", "t2", "t4"), { maxLength: 3 }).map(($in) => ({ tags: { $in } })),
);
const anyFilter = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ $and: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ $or: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ $not: tie("filter") }),
  ),
})).filter;

test("filters at any selectivity, from one row to all, through the kernel: as a naive filter", () => {
  const passages = Array.from({ length: 2500 }, (_, i) => passage(i + 1, i + 1, `휴가 ${i % 40}`));
  const partition = new Partition();
  partition.apply({ removedDocuments: [], added: passages });
  const check = (filter: Filter, n: number) => {
    const vector = Float32Array.from({ length: 8 }, (_, d) => Math.cos(n * (d + 1)) / 3);
    const kept = passages.filter((one) => matches(filter, one.metadata));
    const { byVector, byText } = partition.search({ text: "휴가", vector, limit: 20, filter, groups: [] });
    const expected = naiveVector(kept, vector).slice(0, 20);
    expect(byVector.length).toBe(expected.length);
    for (const [i, hit] of byVector.entries()) expect(hit.score).toBeCloseTo(expected[i]?.score ?? 9, 6);
    expect(byText.length).toBe(Math.min(20, kept.length));
    expect(byText.every(({ row }) => kept.some((one) => one.row === row))).toBe(true);
    return kept.length;
  };
  fc.assert(
    fc.property(anyFilter, fc.integer({ min: 1, max: 99 }), (filter, n) => void check(filter, n)),
    { numRuns: 200 },
  );
  for (const year of [-1, 0, 1, 10, 25, 48, 49, 50]) check({ year: { $lte: year } }, year + 2);
  expect(check({ year: { $gte: 0 } }, 1)).toBe(2500);
  expect(check({ only: true }, 1)).toBe(1);
  expect(check({ $not: { only: true } }, 1)).toBe(2499);
});
