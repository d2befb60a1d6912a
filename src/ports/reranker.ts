import type { CallOptions, ModelCounts } from "../types.ts";

export interface RerankScore {
  /** Into the texts given. */
  readonly index: number;
  /** Higher is better; on a scale of the reranker's own. */
  readonly score: number;
}

/**
 * Orders texts by how well they answer a query.
 *
 * 1. Texts arrive in search order, best first, which a reranker may use as a prior.
 * 2. Every index appears exactly once, best first. Indices and scores only: a reranker cannot alter a passage.
 * 3. No texts: no scores, and no call.
 * 4. Rejects with `dependency_failed` or `dependency_timeout`.
 */
export interface Reranker {
  readonly model: string;
  /** Of a longer query and text together the rest is cut; absent: unknown. */
  readonly textTokensMax?: number | undefined;
  rerank(query: string, texts: readonly string[], options: CallOptions): Promise<RerankScore[]>;
  /** Where pairs are scored independently of each other: one score a pair of query and text, in order, of any queries together. */
  score?(pairs: readonly (readonly [query: string, text: string])[], options: CallOptions): Promise<number[]>;
  /** What keeps it from answering now, and how to mend it; null: nothing. */
  problem?(): string | null;
  counts?(): ModelCounts;
  /** Loads what the first call would have to wait for. */
  warm?(options: CallOptions): Promise<void>;
  close?(): Promise<void>;
}
