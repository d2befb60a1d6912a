import { describe, expect, test } from "vitest";
import { blend, coverage, scaledText, scaledVector } from "../../src/fusion/blend.ts";
import { isUsed, LEARNER_VERSION, PRIOR, vectorWeight, weightsFor } from "../../src/fusion/weights.ts";
import type { Fusion } from "../../src/ports/fusion-store.ts";

describe("scaling", () => {
  test("a full text leg is measured from its last hit, a short one from zero", () => {
    expect(
      scaledText(
        [
          ["a", 4],
          ["b", 2],
        ],
        2,
      ),
    ).toEqual([
      ["a", 0.5],
      ["b", 0],
    ]);
    expect(
      scaledText(
        [
          ["a", 4],
          ["b", 2],
        ],
        3,
      ),
    ).toEqual([
      ["a", 1],
      ["b", 0.5],
    ]);
  });

  test("text hits that score about the same count little, one that stands out counts nearly 1", () => {
    const even = scaledText(
      [
        ["a", 10],
        ["b", 9.5],
        ["c", 9],
      ],
      3,
    );
    const outstanding = scaledText(
      [
        ["a", 10],
        ["b", 1],
        ["c", 0.5],
      ],
      3,
    );
    expect(even[0]?.[1]).toBeCloseTo(0.1);
    expect(outstanding[0]?.[1]).toBeCloseTo(0.95);
    const vectors = scaledVector([
      ["v", 0.9],
      ["a", 0.8],
    ]);
    expect(blend(even, vectors, 0.3)[0]?.[0]).toBe("v");
    expect(blend(outstanding, vectors, 0.3)[0]?.[0]).toBe("a");
  });

  test("the vector leg is measured from its last hit, whatever the level of cosines", () => {
    expect(
      scaledVector([
        ["a", 0.9],
        ["b", 0.85],
        ["c", 0.8],
      ]).map(([, score]) => Math.round(score * 10)),
    ).toEqual([10, 5, 0]);
  });
});

describe("blend", () => {
  test("weight 0 keeps the text's order before what only vectors found; weight 1 the reverse", () => {
    const text = [
      ["a", 1],
      ["b", 0.4],
    ] as const;
    const vector = [
      ["c", 1],
      ["b", 0.3],
    ] as const;
    expect(blend(text, vector, 0).map(([found]) => found)).toEqual(["a", "b", "c"]);
    expect(blend(text, vector, 1).map(([found]) => found)).toEqual(["c", "b", "a"]);
  });
});

describe("weights", () => {
  const learned: Fusion = {
    version: LEARNER_VERSION,
    embedder: "e",
    passages: 10,
    weights: {
      ko: { uncovered: 0.9, covered: 0.3, questions: 100 },
      en: { uncovered: 0, covered: 0, questions: 100 },
      other: { ...PRIOR, questions: 0 },
    },
  };

  test("go by the question's language, and by what an operator fixed before what was learned", () => {
    expect(weightsFor("learned", learned, "연차 휴가는 며칠인가요?")).toMatchObject({ uncovered: 0.9, covered: 0.3 });
    expect(weightsFor("learned", learned, "How many days of leave?")).toMatchObject({ uncovered: 0, covered: 0 });
    expect(weightsFor("learned", null, "연차 휴가는 며칠인가요?")).toBe(PRIOR);
    expect(weightsFor({ uncovered: 0.2, covered: 0.1 }, learned, "연차")).toEqual({ uncovered: 0.2, covered: 0.1 });
  });

  test("lie between their ends by coverage; a leg that never weighs anything is not used", () => {
    expect(vectorWeight({ uncovered: 0.8, covered: 0.2 }, 0.5)).toBeCloseTo(0.5);
    expect(isUsed({ uncovered: 0, covered: 0 })).toEqual({ text: true, vector: false });
    expect(isUsed({ uncovered: 1, covered: 1 })).toEqual({ text: false, vector: true });
    expect(isUsed(PRIOR)).toEqual({ text: true, vector: true });
  });

  test("coverage is the share of distinct wanted tokens", () => {
    expect(coverage(new Set(["a", "b"]), new Set(["b", "c"]))).toBe(0.5);
    expect(coverage(new Set(), new Set(["b"]))).toBe(0);
  });
});
