import { describe, expect, test } from "vitest";
import { collapseDuplicates } from "../../src/pipeline/duplicates.ts";
import { search } from "../../src/pipeline/search.ts";
import type { ScoredPassage } from "../../src/types.ts";
import { call, SCOPE } from "../support/calls.ts";
import { cpuMs } from "../support/cpu.ts";
import { fakeStages, withIndex } from "../support/stages.ts";

const hit = (documentId: string, text: string, score: number, headings: string[] = []): ScoredPassage => ({
  passage: { id: `${documentId}#0`, documentId, title: documentId, headings, text, tokens: 1, metadata: {} },
  score,
});
const LEAVE = "1년간 80퍼센트 이상 출근한 직원의 연차는 15일이며 회사는 이를 유급으로 준다.";

test("the same paragraph in ten documents is one hit that names the other nine", () => {
  const found = Array.from({ length: 10 }, (_, i) =>
    hit(`d${i}`, i % 2 ? LEAVE : LEAVE.replace(" ", "  "), 1 - i / 10),
  );
  const [only, ...rest] = collapseDuplicates([
    ...found,
    hit("other", "출장 숙박비는 하루 8만 원까지 실비로 준다고 규정에 쓰여 있다.", 0),
  ]);
  expect(rest.map(({ passage }) => passage.documentId)).toEqual(["other"]);
  expect(only?.passage.documentId).toBe("d0");
  expect(only?.alsoIn?.map(({ documentId }) => documentId)).toEqual([
    "d1",
    "d2",
    "d3",
    "d4",
    "d5",
    "d6",
    "d7",
    "d8",
    "d9",
  ]);
});

test("the longer one stays, at the better one's place", () => {
  const [only] = collapseDuplicates([hit("short", LEAVE, 0.9), hit("long", `${LEAVE} 단, 수습은 뺀다.`, 0.5)]);
  expect(only).toMatchObject({ score: 0.9, passage: { documentId: "long" }, alsoIn: [{ documentId: "short" }] });
});

test.each([
  ["15일", "25일"],
  ["15일", "1.5일"],
  ["준다", "주지 않는다"],
  ["이상", "미만"],
  ["직원", "임원"],
  ["1년간", "11년간"],
])("%s and %s are different facts", (one, other) => {
  expect(LEAVE).toContain(one);
  expect(collapseDuplicates([hit("a", LEAVE, 1), hit("b", LEAVE.replace(one, other), 0.9)])).toHaveLength(2);
});

test("a few words under different headings are not the same", () => {
  expect(collapseDuplicates([hit("a", "해당 없음", 1, ["제3조"]), hit("b", "해당 없음", 1, ["제5조"])])).toHaveLength(
    2,
  );
});

describe("a search", () => {
  /** How many hits each search asked for, and what was found of these. */
  async function searched(all: readonly ScoredPassage[], settings: { readonly top: number; readonly keep: number }) {
    const limits: number[] = [];
    const index = withIndex(async (_scope, { limit }) => {
      limits.push(limit);
      return { byText: all.slice(0, limit), byVector: [] };
    });
    const stages = fakeStages({ ...index, settings });
    const found = await search(stages, { scope: SCOPE, filter: null }, "연차", null, call());
    return { limits, documents: found.map(({ passage }) => passage.documentId) };
  }
  const same = Array.from({ length: 30 }, (_, i) => hit(`same-${i}`, LEAVE, 100 - i));
  const others = Array.from({ length: 30 }, (_, i) =>
    hit(`other-${i}`, `${i}번 창구의 연차 담당자는 김${i}이다.`, 60 - i),
  );

  test("that duplicates leave too few passages of looks deeper, once", async () => {
    const { limits, documents } = await searched([...same, ...others], { top: 20, keep: 5 });
    expect(limits).toEqual([20, 100]);
    expect(documents).toHaveLength(20);
    expect(documents.slice(0, 2)).toEqual(["same-0", "other-0"]);
  });

  test("that finds enough, or all there is, does not", async () => {
    expect((await searched(others, { top: 20, keep: 5 })).limits).toEqual([20]);
    expect((await searched(same.slice(0, 10), { top: 20, keep: 5 })).limits).toEqual([20]);
  });

  test("looks at twenty hits a leg, however few are wanted", async () => {
    const { limits, documents } = await searched(others, { top: 3, keep: 2 });
    expect([limits, documents.length]).toEqual([[20], 3]);
  });
});

test("texts without end are compared with nothing, and take no time", () => {
  const long = "가 ".repeat(500_000);
  const since = cpuMs();
  expect(collapseDuplicates(Array.from({ length: 20 }, (_, i) => hit(`d${i}`, long, 1)))).toHaveLength(20);
  expect(cpuMs() - since).toBeLessThan(50);
});
