import type { CallOptions } from "../types.ts";

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
  rerank(query: string, texts: readonly string[], options: CallOptions): Promise<RerankScore[]>;
  close?(): Promise<void>;
}
