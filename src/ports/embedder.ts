import type { CallOptions, ModelCounts } from "../types.ts";

/** What is embedded: many models prefix questions and passages differently. */
export type EmbedKind = "query" | "passage";

/**
 * Turns texts into vectors.
 *
 * 1. One vector a text, in the order given, each of `dimensions` float32 values and of unit length, or all zeros where the
 *    text has nothing the model knows.
 * 2. The same text gives the same vector whatever it is batched with, to cosine 0.98.
 * 3. An empty list gives an empty list without a call.
 * 4. Rejects with `dependency_failed` or `dependency_timeout`; a text that is too long is cut, never refused.
 * 5. Stops working when `signal` aborts.
 */
export interface Embedder {
  /** Names the vector space, e.g. `static-ko-en/256`. Vectors of different names are never compared. */
  readonly model: string;
  readonly dimensions: number;
  /** Of a longer text the rest is cut; absent: unknown. */
  readonly textTokensMax?: number | undefined;
  /** Set where texts leave this machine: nothing is embedded but what is indexed and asked. */
  readonly remote?: true | undefined;
  embed(texts: readonly string[], kind: EmbedKind, options: CallOptions): Promise<Float32Array[]>;
  /** What keeps it from answering now, and how to mend it; null: nothing. */
  problem?(): string | null;
  counts?(): ModelCounts;
  /** Loads what the first call would have to wait for. */
  warm?(options: CallOptions): Promise<void>;
  close?(): Promise<void>;
}
