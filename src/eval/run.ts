import { quantile } from "../statistics.ts";
import type { Timings } from "../types.ts";
import { type Metrics, mean, score } from "./metrics.ts";
import type { EvalQuery, EvalSet } from "./sets.ts";

/** What was found for one query: passage ids, best first, by text search alone, by the whole search, and reranked. */
export interface Retrieved {
  readonly text: readonly string[];
  readonly search: readonly string[];
  readonly rerank: readonly string[];
  readonly timings: Timings;
}

export type Retrieve = (query: string) => Promise<Retrieved>;

export interface Latency {
  readonly p50: number;
  readonly p95: number;
}

/** The outcome of an evaluation; the metrics at the top are the whole pipeline's, after reranking. */
export interface Evaluation extends Metrics {
  readonly set: string;
  readonly queries: number;
  readonly text: Metrics;
  readonly search: Metrics;
  readonly rerank: Metrics;
  /** Milliseconds by step. */
  readonly latencyMs: Readonly<Record<string, Latency>>;
}

/** Asks every query of the set, one after the other, and scores what comes back. `onQuery` hears how many are done. */
export async function evaluate(
  set: Pick<EvalSet, "name" | "queries">,
  retrieve: Retrieve,
  onQuery: (done: number) => void = () => {},
): Promise<Evaluation> {
  const found: { readonly query: EvalQuery; readonly retrieved: Retrieved }[] = [];
  for (const query of set.queries) {
    found.push({ query, retrieved: await retrieve(query.text) });
    onQuery(found.length);
  }
  const metricsOf = (leg: "text" | "search" | "rerank") =>
    mean(found.map(({ query, retrieved }) => score(retrieved[leg], query.grades)));
  const [text, search, rerank] = [metricsOf("text"), metricsOf("search"), metricsOf("rerank")];
  const latencyMs = latencies(found.map(({ retrieved }) => retrieved.timings));
  return { set: set.name, queries: found.length, ...rerank, text, search, rerank, latencyMs };
}

/** Percentiles by step, over the queries in which the step ran. */
function latencies(timings: readonly Timings[]): Record<string, Latency> {
  const byStep = new Map<string, number[]>();
  for (const [step, ms] of timings.flatMap((one) => Object.entries(one))) {
    const values = byStep.get(step);
    if (values) values.push(ms);
    else byStep.set(step, [ms]);
  }
  return Object.fromEntries(
    [...byStep].map(([step, values]) => {
      const sorted = values.toSorted((a, b) => a - b);
      return [step, { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) }];
    }),
  );
}
