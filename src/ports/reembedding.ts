import type { CallOptions, Scope } from "../types.ts";

/** A passage that has no vector of the new space yet. */
export interface PendingPassage {
  readonly row: number;
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
}

export interface ReembeddingState {
  /** The space that searches are answered in; null: nothing is stored. */
  readonly from: string | null;
  readonly to: string;
  readonly passages: number;
  /** Of these, with a vector of the new space: more than 0 at the beginning where an earlier run was stopped. */
  readonly embedded: number;
}

/**
 * Moves a collection, whatever its groups, into the vector space of the embedder that the index was opened with, while others
 * search and write it in the old one.
 *
 * 1. Until `swap` resolves to true, searches and writes in the old space go on as if nothing happened; from then on only those in
 *    the new one are accepted. A search never compares vectors of two spaces.
 * 2. What was `put` is kept when the process ends; `begin` of the same space goes on from there, of another one starts again.
 * 3. `put` and `swap` reject with `conflict` where somebody else has begun to move the collection elsewhere.
 */
export interface Reembedding {
  begin(scope: Scope, options: CallOptions): Promise<ReembeddingState>;
  pending(scope: Scope, limit: number, options: CallOptions): Promise<readonly PendingPassage[]>;
  /** Rows that were deleted meanwhile are skipped. `vector` null: the text has nothing to embed. */
  put(
    scope: Scope,
    vectors: readonly { readonly row: number; readonly vector: Float32Array | null }[],
    options: CallOptions,
  ): Promise<void>;
  /** All at once. False: passages came meanwhile that are pending, and nothing is changed. */
  swap(scope: Scope, options: CallOptions): Promise<boolean>;
}
