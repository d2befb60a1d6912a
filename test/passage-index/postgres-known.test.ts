import { expect, test } from "vitest";
import { KnownCollections } from "../../src/adapters/passage-index/postgres-known.ts";
import type { Readable } from "../../src/adapters/passage-index/postgres-readable.ts";
import type { Filter } from "../../src/types.ts";

const scope = { tenant: "가나", collection: "규정", groups: ["인사"] };
const TENURE: Filter = { year: { $gte: 2020 } };

function readable(frequencies: Record<number, number>, version = 1, epoch = "e"): Readable {
  const counts = { documents: 2, passages: 20, tokens: 400, frequencies: new Map(entries(frequencies)) };
  return { epoch, version, embedder: "m", dimensions: 3, readers: [7], fields: [], ...counts };
}

function entries(of: Record<number, number>): [number, number][] {
  return Object.entries(of).map(([term, n]) => [Number(term), n]);
}

function asked(terms: readonly number[], filter: Filter | null = null) {
  return { terms: new Map(terms.map((term) => [term, 1])), filter };
}

test("a question begins with what others have read: its terms together, those that stand nowhere too", () => {
  const known = new KnownCollections();
  expect(known.find(scope, asked([]))).toBeNull();
  known.add(scope, asked([1, 2]), { found: readable({ 1: 5 }), few: null });
  known.add(scope, asked([3]), { found: readable({ 3: 4 }), few: null });
  const beginning = known.find(scope, asked([3, 2, 1]));
  expect(beginning).toMatchObject({ few: null, found: { version: 1, passages: 20, readers: [7] } });
  expect(beginning?.found.frequencies).toEqual(new Map(entries({ 1: 5, 2: 0, 3: 4 })));
  expect(known.find(scope, asked([1, 4]))).toBeNull();
});

test("a filter is known by what it says, and one that many documents match is not taken for an unknown one", () => {
  const known = new KnownCollections();
  known.add(scope, asked([1]), { found: readable({ 1: 5 }), few: null });
  expect(known.find(scope, asked([1], TENURE))).toBeNull();
  known.add(scope, asked([1], TENURE), { found: readable({ 1: 5 }), few: null });
  known.add(scope, asked([1], { year: 2021 }), { found: readable({ 1: 5 }), few: 3 });
  expect(known.find(scope, asked([1], { year: { $gte: 2020 } }))?.few).toBeNull();
  expect(known.find(scope, asked([1], { year: 2021 }))?.few).toBe(3);
  expect(known.find(scope, asked([1], { year: 2022 }))).toBeNull();
});

test.each([
  ["version", readable({ 2: 6 }, 2)],
  ["tables", readable({ 2: 6 }, 1, "others")],
])("with another %s nothing is left of what was known", (_, found) => {
  const known = new KnownCollections();
  known.add(scope, asked([1], TENURE), { found: readable({ 1: 5 }), few: 2 });
  known.add(scope, asked([2]), { found, few: null });
  expect(known.find(scope, asked([1]))).toBeNull();
  expect(known.find(scope, asked([2], TENURE))).toBeNull();
  expect(known.find(scope, asked([2]))?.found).toMatchObject({ version: found.version, epoch: found.epoch });
});

test("what one scope may read is nothing to another, whatever its names hold", () => {
  const known = new KnownCollections();
  known.add(scope, asked([1]), { found: readable({ 1: 5 }), few: null });
  for (const other of [
    { ...scope, tenant: "나가" },
    { ...scope, collection: "공지" },
    { ...scope, groups: [] },
    { ...scope, groups: ["인사", "임원"] },
    { tenant: '가나","규정', collection: "", groups: ["인사"] },
  ])
    expect(known.find(other, asked([1]))).toBeNull();
});

test("beyond 64 scopes those that were read first are forgotten, beyond 5,000 terms all but the last question's", () => {
  const known = new KnownCollections();
  const of = (i: number) => ({ ...scope, tenant: `t${i}` });
  for (let i = 0; i <= 64; i++) known.add(of(i), asked([1]), { found: readable({ 1: 5 }), few: null });
  expect(known.find(of(0), asked([1]))).toBeNull();
  expect(known.find(of(1), asked([1]))).not.toBeNull();
  const many = Array.from({ length: 5001 }, (_, i) => i + 10);
  known.add(of(64), asked(many), { found: readable({}), few: null });
  known.add(of(64), asked([2]), { found: readable({ 2: 1 }), few: null });
  expect(known.find(of(64), asked([10]))).toBeNull();
  expect(known.find(of(64), asked([2]))?.found.frequencies).toEqual(new Map([[2, 1]]));
});
