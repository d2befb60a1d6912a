import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { Partition, type ResidentPassage, type RowHit } from "../../src/resident/partition.ts";
import type { Filter } from "../../src/types.ts";
import { changes, filter, query } from "./arbitraries.ts";
import { applied, fieldsOf, isReadable, matches, naiveText, naiveVector } from "./naive.ts";

const passage = (row: number, text: string, more: Partial<ResidentPassage> = {}): ResidentPassage => ({
  row,
  documentRow: row,
  title: "",
  headings: [],
  text,
  vector: null,
  metadata: {},
  groups: [],
  ...more,
});

const partitionOf = (...added: ResidentPassage[]) => {
  const partition = new Partition();
  partition.apply({ removedDocuments: [], added });
  return partition;
};

const rows = (hits: readonly RowHit[]) => hits.map((hit) => hit.row);
const textRows = (partition: Partition, text: string) => rows(partition.search({ text, limit: 10, groups: [] }).byText);

/** Same rows and scores; rows whose scores differ by rounding only may stand in either order. */
function expectHits(found: readonly RowHit[], expected: readonly RowHit[]): void {
  expect(found.length).toBe(expected.length);
  const byRow = new Map(expected.map((hit) => [hit.row, hit.score]));
  found.forEach((hit, i) => {
    expect(hit.score).toBeCloseTo(expected[i]?.score ?? Number.NaN, 9);
    const score = byRow.get(hit.row);
    if (score !== undefined) expect(hit.score).toBeCloseTo(score, 9);
  });
  expect(new Set(rows(found)).size).toBe(found.length);
}

describe("text leg", () => {
  test("is BM25, exactly, through removals and merges", () => {
    fc.assert(
      fc.property(changes, query, (history, asked) => {
        const { partition, passages } = applied(history);
        const readable = passages.filter((one) => isReadable(one, asked.groups));
        const expected = naiveText(readable, asked.text);
        expect(partition.passages).toBe(passages.length);
        expectHits(partition.search(asked).byText, expected.slice(0, asked.limit));
      }),
      { numRuns: 300 },
    );
  });

  test("퇴직금 finds 퇴직금은, and before 퇴직연금", () => {
    const partition = partitionOf(
      passage(1, "퇴직연금 제도"),
      passage(2, "퇴직금은 14일 이내에"),
      passage(3, "연차휴가"),
    );
    expect(textRows(partition, "퇴직금")).toEqual([2, 1]);
  });

  test("finds Latin words in Korean text, with particles attached", () => {
    const partition = partitionOf(passage(1, "FastAPI에서 BackgroundTasks를 쓴다"), passage(2, "다른 글"));
    expect(textRows(partition, "fastapi backgroundtasks")).toEqual([1]);
  });

  test("finds by title and by headings", () => {
    const partition = partitionOf(
      passage(1, "15 days", { title: "Annual leave" }),
      passage(2, "two years", { headings: ["Parental leave", "Extension"] }),
    );
    expect(textRows(partition, "annual")).toEqual([1]);
    expect(textRows(partition, "extension")).toEqual([2]);
  });

  test("a query of stop words alone still finds", () => {
    expect(textRows(partitionOf(passage(1, "To be, or not to be"), passage(2, "leave")), "to be or not to be")).toEqual(
      [1],
    );
  });

  test("a query without any known word finds nothing", () => {
    expect(textRows(partitionOf(passage(1, "휴가")), "🙂 unknown")).toEqual([]);
    expect(textRows(new Partition(), "휴가")).toEqual([]);
  });
});

describe("vector leg", () => {
  test("equals brute force, in the very order", () => {
    fc.assert(
      fc.property(changes, query, (history, asked) => {
        const { partition, passages } = applied(history);
        const readable = passages.filter((one) => isReadable(one, asked.groups));
        const expected = naiveVector(readable, asked.vector);
        expect(partition.search(asked).byVector).toEqual(expected.slice(0, asked.limit));
      }),
      { numRuns: 300 },
    );
  });

  test("refuses vectors of another length, and changes nothing", () => {
    const partition = partitionOf(passage(1, "휴가", { vector: Float32Array.of(1, 0) }));
    const change = { removedDocuments: [1], added: [passage(2, "퇴직금", { vector: Float32Array.of(1, 0, 0) })] };
    const conflict = expect.objectContaining({ code: "conflict", message: expect.stringMatching(/3 dimensions.* 2/) });
    expect(() => partition.apply({ ...change, removedDocuments: [] })).toThrow(conflict);
    expect(() => partition.search({ vector: Float32Array.of(1, 0, 0), limit: 1, groups: [] })).toThrow(conflict);
    expect(textRows(partition, "휴가")).toEqual([1]);
    partition.apply(change);
    expect(textRows(partition, "휴가 퇴직금")).toEqual([2]);
  });
});

describe("filter", () => {
  test("means what its documentation says, and names unknown fields", () => {
    fc.assert(
      fc.property(changes, query, filter, (history, asked, narrowed) => {
        const { partition, passages } = applied(history);
        const readable = passages.filter((one) => isReadable(one, asked.groups));
        const known = new Set(readable.flatMap((one) => Object.keys(one.metadata)));
        const unknown = fieldsOf(narrowed).filter((field) => !known.has(field));
        const search = () => partition.search({ ...asked, limit: 100, filter: narrowed });
        if (unknown.length > 0) {
          expect(search).toThrow(
            expect.objectContaining({
              code: "request_invalid",
              message: expect.stringContaining(`filter.${unknown[0]}`),
            }),
          );
          return;
        }
        const kept = readable.filter((one) => matches(narrowed, one.metadata));
        expect(search().byVector).toEqual(naiveVector(kept, asked.vector));
        expect(new Set(rows(search().byText))).toEqual(
          new Set(rows(naiveText(passages, asked.text)).filter((row) => kept.some((one) => one.row === row))),
        );
      }),
      { numRuns: 500 },
    );
  });

  test.each<[string, unknown]>([
    ["filter.law.$foo", { law: { $foo: 1 } }],
    ["filter.law", { law: {} }],
    ["filter.law", { law: null }],
    ["filter.law", { law: ["a"] }],
    ["filter.law", { law: undefined }],
    ["filter.law.$in", { law: { $in: "a" } }],
    ["filter.law.$gt", { law: { $gt: true } }],
    ["filter.$and", { $and: [] }],
    ["filter.$or[1].law.$nin", { $or: [{ law: "a" }, { law: { $nin: [{}] } }] }],
    ["filter.$not", { $not: "a" }],
    ["filter.$where", { $where: "1" }],
  ])("refuses what is malformed, naming %s", (place, malformed) => {
    const partition = partitionOf(passage(1, "휴가", { metadata: { law: "a" } }));
    expect(() => partition.search({ text: "휴가", limit: 1, groups: [], filter: malformed as Filter })).toThrow(
      expect.objectContaining({ code: "request_invalid", message: expect.stringContaining(`${place} `) }),
    );
  });

  test("refuses nesting without end", () => {
    const nested = Array.from({ length: 50_000 }).reduce<Filter>((inner) => ({ $not: inner }), { law: "a" });
    expect(() => partitionOf(passage(1, "a")).search({ limit: 1, groups: [], filter: nested })).toThrow(
      /nested deeper than 32/,
    );
  });

  test.each(["__proto__", "constructor", "toString"])("the field %s is as unknown as any other", (field) => {
    const partition = partitionOf(passage(1, "휴가", { metadata: { law: "a" } }));
    const inherited: Filter = JSON.parse(`{"${field}": "a"}`);
    expect(() => partition.search({ limit: 1, groups: [], filter: inherited })).toThrow(
      `filter.${field}: no document has this field (known fields: law).`,
    );
  });
});

describe("groups", () => {
  test("what is hidden is neither returned nor named", () => {
    fc.assert(
      fc.property(changes, query, filter, (history, asked, narrowed) => {
        const { partition, passages } = applied(history);
        const hidden = new Set(passages.filter((one) => !isReadable(one, asked.groups)).map((one) => one.row));
        const { byText, byVector } = partition.search({ ...asked, limit: 100 });
        expect([...byText, ...byVector].filter((hit) => hidden.has(hit.row))).toEqual([]);
        const withoutHidden = new Partition();
        withoutHidden.apply({ removedDocuments: [], added: passages.filter((one) => !hidden.has(one.row)) });
        expect(messageOf(partition, narrowed, asked.groups)).toBe(messageOf(withoutHidden, narrowed, asked.groups));
      }),
      { numRuns: 300 },
    );
  });

  test("an open passage is everyone's, another only its groups'", () => {
    const partition = partitionOf(passage(1, "휴가"), passage(2, "휴가", { groups: ["hr", "legal"] }));
    const found = (...groups: string[]) => rows(partition.search({ text: "휴가", limit: 10, groups }).byText);
    expect([found(), found("it"), found("it", "legal")]).toEqual([[1], [1], [1, 2]]);
  });
});

function messageOf(partition: Partition, narrowed: Filter, groups: string[]): string | null {
  try {
    partition.search({ limit: 1, groups, filter: narrowed });
    return null;
  } catch (thrown) {
    return thrown instanceof RaglineError ? thrown.message : String(thrown);
  }
}

test("many small changes stay fast: one thousand documents, one by one, with replacements", () => {
  const partition = new Partition();
  const started = performance.now();
  for (let row = 1; row <= 1_000; row++) {
    const documentRow = (row % 800) + 1;
    const text = `휴가 ${row} 번째 문서 leave document`;
    partition.apply({ removedDocuments: [documentRow], added: [passage(row, text, { documentRow })] });
  }
  expect(partition.passages).toBe(800);
  expect(textRows(partition, "휴가 999")[0]).toBe(999);
  expect(textRows(partition, "5"), "replaced by row 805").toEqual([]);
  expect(performance.now() - started).toBeLessThan(5_000);
});
