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
 * 2. Entries may vanish at any time.
 */
export interface AnswerCache {
  find(scope: Scope, key: string, options: CallOptions): Promise<CachedAnswer | null>;
  put(scope: Scope, key: string, answer: CachedAnswer, options: CallOptions): Promise<void>;
  close?(): Promise<void>;
}
