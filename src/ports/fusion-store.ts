import type { CallOptions, Scope } from "../types.ts";

/** What the vector leg weighs in fusion, 0 to 1; the text leg weighs the rest. In between it goes by the words covered. */
export interface VectorWeights {
  /** Where the best text hit holds no word of the question. */
  readonly uncovered: number;
  /** Where the best text hit holds every word of the question. */
  readonly covered: number;
}

/** How a collection's two legs are fused, by the language of the question, as it was learned from the collection. */
export interface Fusion {
  /** Of the way of learning. */
  readonly version: number;
  readonly embedder: string;
  /** That everyone of the tenant could read when it was learned. */
  readonly passages: number;
  readonly weights: Readonly<
    Record<
      "ko" | "en" | "other",
      VectorWeights & {
        /** How many questions in this language it was learned from; 0: none, the weights are a prior. */
        readonly questions: number;
      }
    >
  >;
}

/** A passage as it is stored, with its vector. */
export interface StoredPassage {
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
  readonly vector: Float32Array | null;
}

/**
 * What learning how to fuse a collection's legs needs of its index. What is learned is the collection's, whatever the scope's groups.
 *
 * 1. `sample` gives up to `limit` passages that the scope may read, evenly spread over their documents by id: the same ones for the
 *    same contents, whatever else is stored.
 * 2. `load` gives what was saved last, by any process, or null. It is called for every question; the round trip to
 *    a server is spared where what it gave last is recent enough for the call's `asOf`.
 * 3. `save` is durable when it resolves, and does nothing where the collection is unknown. It changes the index's version.
 */
export interface FusionStore {
  sample(scope: Scope, limit: number, options: CallOptions): Promise<StoredPassage[]>;
  load(scope: Scope, options: CallOptions): Promise<Fusion | null>;
  save(scope: Scope, fusion: Fusion, options: CallOptions): Promise<void>;
}
