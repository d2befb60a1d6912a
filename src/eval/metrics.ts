/** Relevance grades by passage id; an id that is absent counts 0. */
export type Grades = ReadonlyMap<string, number>;

/** What one ranking, or the mean of many, is worth. All 0 to 1. */
export interface Metrics {
  readonly "ndcg@10": number;
  readonly "recall@5": number;
  readonly "recall@20": number;
  readonly mrr: number;
}

/** Scores one ranking of ids, best first, against the grades of one query. */
export function score(ranking: readonly string[], grades: Grades): Metrics {
  return {
    "ndcg@10": ndcg(ranking, grades, 10),
    "recall@5": recall(ranking, grades, 5),
    "recall@20": recall(ranking, grades, 20),
    mrr: reciprocalRank(ranking, grades),
  };
}

export function mean(metrics: readonly Metrics[]): Metrics {
  const of = (pick: (one: Metrics) => number) =>
    metrics.length === 0 ? 0 : metrics.reduce((sum, one) => sum + pick(one), 0) / metrics.length;
  return {
    "ndcg@10": of((one) => one["ndcg@10"]),
    "recall@5": of((one) => one["recall@5"]),
    "recall@20": of((one) => one["recall@20"]),
    mrr: of((one) => one.mrr),
  };
}

/**
 * Normalised discounted cumulative gain with linear gains: Σ grade / log2(rank + 1) over the first k, divided by that of the
 * best possible order. 0 where nothing is relevant.
 */
export function ndcg(ranking: readonly string[], grades: Grades, k: number): number {
  const ideal = discounted([...grades.values()].sort((a, b) => b - a).slice(0, k));
  return ideal === 0 ? 0 : discounted(ranking.slice(0, k).map((id) => grades.get(id) ?? 0)) / ideal;
}

/** The share of the relevant passages (grade above 0) that stand among the first k. */
export function recall(ranking: readonly string[], grades: Grades, k: number): number {
  const relevant = [...grades].filter(([, grade]) => grade > 0).map(([id]) => id);
  const found = new Set(ranking.slice(0, k));
  return relevant.length === 0 ? 0 : relevant.filter((id) => found.has(id)).length / relevant.length;
}

/** One over the rank of the first relevant passage; 0 where there is none. Its mean over queries is MRR. */
export function reciprocalRank(ranking: readonly string[], grades: Grades): number {
  const first = ranking.findIndex((id) => (grades.get(id) ?? 0) > 0);
  return first < 0 ? 0 : 1 / (first + 1);
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0);
}
