import type { CallOptions, Fusion, Scope } from "../types.ts";

/** A passage as it is stored, with its vector. */
export interface StoredPassage {
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
  readonly vector: Float32Array | null;
}

/**
 * What learning how to fuse a collection's legs needs of its index.
 *
 * 1. `sample` gives up to `limit` passages, evenly spread over the documents by id: the same ones for the same contents. It
 *    does not look at the scope's groups, as weights are the collection's; what it gives is learned from and never shown.
 * 2. `load` gives what was saved last, by any process, or null; it is called for every question, and takes microseconds.
 * 3. `save` is durable when it resolves, and does nothing where the collection is unknown. It changes the index's version.
 */
export interface FusionStore {
  /** All of the collection, whoever may read them. */
  passages(scope: Scope, options: CallOptions): Promise<number>;
  sample(scope: Scope, limit: number, options: CallOptions): Promise<StoredPassage[]>;
  load(scope: Scope, options: CallOptions): Promise<Fusion | null>;
  save(scope: Scope, fusion: Fusion, options: CallOptions): Promise<void>;
}
