import { describe, expect, test } from "vitest";
import { mean, ndcg, recall, reciprocalRank, score } from "../../src/eval/metrics.ts";

const grades = new Map([
  ["a", 2],
  ["b", 1],
  ["z", 0],
]);

describe("metrics, by hand", () => {
  test("nDCG: gains divided by log2(rank + 1), by the best order", () => {
    // The best order gives 2/1 + 1/log2(3) = 2.63093; b at rank 1 and a at rank 3 give 1/1 + 2/2 = 2.
    expect(ndcg(["b", "x", "a"], grades, 10)).toBeCloseTo(2 / 2.63093, 5);
    expect(ndcg(["a", "b"], grades, 10)).toBe(1);
    expect(ndcg(["x", "y"], grades, 10)).toBe(0);
    expect(ndcg(["x", "a"], grades, 1)).toBe(0);
    expect(ndcg(["a"], new Map(), 10)).toBe(0);
  });

  test("recall: the share of the relevant among the first k; grade 0 is not relevant", () => {
    expect(recall(["b", "z", "a"], grades, 2)).toBe(0.5);
    expect(recall(["b", "z", "a"], grades, 3)).toBe(1);
    expect(recall(["z"], new Map([["z", 0]]), 5)).toBe(0);
  });

  test("reciprocal rank: of the first relevant", () => {
    expect(reciprocalRank(["z", "x", "b", "a"], grades)).toBeCloseTo(1 / 3, 10);
    expect(reciprocalRank(["z"], grades)).toBe(0);
  });

  test("means", () => {
    const both = mean([score(["a", "b"], grades), score(["x"], grades)]);
    expect(both).toEqual({ "ndcg@10": 0.5, "recall@5": 0.5, "recall@20": 0.5, mrr: 0.5 });
    expect(mean([]).mrr).toBe(0);
  });
});
