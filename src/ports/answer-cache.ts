import type { CallOptions, Scope, Source } from "../types.ts";

export interface CachedAnswer {
  /** What was searched for. */
  readonly query: string;
  readonly text: string;
  readonly sources: readonly Source[];
}

/**
 * Keeps finished answers under keys that cover everything an answer depends on (see `pipeline/cache.ts`).
 *
 * 1. `find` returns what was `put` under the very same scope (tenant, collection, groups) and key, or null.
 * 2. Entries may vanish at any time; what is too old to be found is deleted soon after, though nobody asks.
 * 3. `deleteAll` removes every entry of the scope's tenant and collection, whatever its groups.
 */
export interface AnswerCache {
  find(scope: Scope, key: string, options: CallOptions): Promise<CachedAnswer | null>;
  put(scope: Scope, key: string, answer: CachedAnswer, options: CallOptions): Promise<void>;
  deleteAll(scope: Scope, options: CallOptions): Promise<void>;
  close?(): Promise<void>;
}
