import type { CallOptions } from "../types.ts";

/**
 * Keeps vectors under keys that name model, kind and text.
 *
 * 1. `find` gives a vector or null for every key, in order: those that were `put` under the very same key, bit for bit.
 * 2. Entries may vanish at any time.
 * 3. Rejects with `dependency_failed` or `dependency_timeout`; nobody depends on it: a failure counts as a miss.
 */
export interface VectorCache {
  find(keys: readonly string[], options: CallOptions): Promise<(Float32Array | null)[]>;
  put(entries: readonly (readonly [key: string, vector: Float32Array])[], options: CallOptions): Promise<void>;
  close?(): Promise<void>;
}
