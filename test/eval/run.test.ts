import { expect, test } from "vitest";
import { evaluate } from "../../src/eval/run.ts";

test("scores text, search and rerank apart, the whole pipeline at the top, latencies by step", async () => {
  const queries = [
    { id: "1", text: "퇴직금", grades: new Map([["a", 1]]) },
    { id: "2", text: "leave", grades: new Map([["b", 1]]) },
  ];
  const heard: number[] = [];
  const outcome = await evaluate(
    { name: "handbook", queries },
    async (query) => ({
      text: ["b", "c"],
      search: ["a", "b"],
      rerank: query === "leave" ? ["b", "a"] : ["a", "b"],
      timings: query === "leave" ? { search: 2, rerank: 1 } : { search: 4 },
    }),
    (done) => heard.push(done),
  );
  expect(outcome).toMatchObject({
    set: "handbook",
    queries: 2,
    "ndcg@10": 1,
    mrr: 1,
    rerank: { mrr: 1 },
    text: { mrr: 0.5 },
    search: { mrr: 0.75 },
  });
  expect(outcome.latencyMs).toEqual({ search: { p50: 2, p95: 4 }, rerank: { p50: 1, p95: 1 } });
  expect(heard).toEqual([1, 2]);
});
