import type { CallOptions, Document, DocumentEntry, Filter, PassageInput, Scope, ScoredPassage } from "../types.ts";
import type { FusionStore } from "./fusion-store.ts";
import type { Reembedding } from "./reembedding.ts";
import type { Transfer } from "./transfer.ts";

export interface SearchQuery {
  /** Unit length; absent: no vector leg. */
  readonly vector?: Float32Array;
  /** Absent: no text leg. */
  readonly text?: string;
  /** Hits a leg, at most. */
  readonly limit: number;
  readonly filter?: Filter;
}

export type TextQuery = Omit<SearchQuery, "vector"> & { readonly text: string };

/** Both legs, best first, each on its own scale: `byText` BM25 (above 0), `byVector` cosine (−1 to 1). */
export interface SearchResult {
  readonly byVector: readonly ScoredPassage[];
  readonly byText: readonly ScoredPassage[];
}

export interface ReplaceOptions extends CallOptions {
  /** True: see rule 6. Absent: whatever is there, whoever may read it. */
  readonly readableOnly?: boolean;
}

export interface DocumentPage {
  readonly documents: readonly DocumentEntry[];
  /** Pass as `after` for the next page; absent on the last. */
  readonly next?: string;
}

export interface IndexStatus {
  readonly documents: number;
  readonly passages: number;
  /** Name of the vector space, null while nothing is stored. */
  readonly embedder: string | null;
}

/**
 * Stores passages and finds them again.
 *
 * 1. Nothing outside `scope` is ever returned, counted or named in an error; `has` and `groups` alone look beyond the scope's groups.
 * 2. `replace` is atomic: a search sees all passages of the old version or all of the new one. When it resolves the
 *    document is durable and found by the next `search` of this process, and by others' within 200 ms. The same holds
 *    for what `delete` takes away.
 * 3. `search` with `limit` k returns k hits a leg where k match the filter; ties are broken the same way every time.
 * 4. A filter on a field that no readable document has rejects with `request_invalid` and names the field.
 * 5. A vector of another length than the stored ones, or a document embedded in another vector space, rejects with
 *    `conflict` and names both.
 * 6. With `readableOnly` what is there under the document's id is replaced only where the scope may read it, and what comes too; else
 *    `replace` rejects with `conflict` and changes nothing. That holds at the moment of the write, whoever writes beside it, but for engines without
 *    conditional writes (docs/engines.md) and older search stages, where another process may come between.
 * 7. An unknown tenant or collection behaves like an empty one.
 */
export interface PassageIndex {
  search(scope: Scope, query: SearchQuery, options: CallOptions): Promise<SearchResult>;
  /** A search of this text, with a vector that is not there yet, follows soon: what of it can be done now. Its failures are that search's. */
  expect?(scope: Scope, query: TextQuery, options: CallOptions): Promise<void>;
  replace(scope: Scope, document: Document, passages: readonly PassageInput[], options: ReplaceOptions): Promise<void>;
  /** Resolves to false where there was nothing to delete. */
  delete(scope: Scope, documentId: string, options: CallOptions): Promise<boolean>;
  /** Whether the collection has a document of this id, whoever may read it: asked before one is written, and never shown. */
  has(scope: Scope, documentId: string, options: CallOptions): Promise<boolean>;
  /** One document, or null. */
  find(scope: Scope, documentId: string, options: CallOptions): Promise<DocumentEntry | null>;
  /** Every group that a document of the collection has, in no order: a scope with these sees all of it. Asked by whoever indexes its sources, and never shown. */
  groups(scope: Scope, options: CallOptions): Promise<string[]>;
  /** Documents by id, ascending. `limit` 1 to 1,000. */
  list(
    scope: Scope,
    page: { readonly after?: string; readonly limit: number },
    options: CallOptions,
  ): Promise<DocumentPage>;
  /** Changes whenever an answer from this collection might change, and never comes back, also where an index was restored from a backup and is written to again. */
  version(scope: Scope, options: CallOptions): Promise<string>;
  status(scope: Scope, options: CallOptions): Promise<IndexStatus>;
  /** Makes the first search of a collection as fast as the next; takes as long as it takes. */
  warm?(scope: Scope, options: CallOptions): Promise<void>;
  /** After much was written: makes the next start as fast as it can be; takes as long as it takes. */
  settle?(scope: Scope, options: CallOptions): Promise<void>;
  /** Deletes what earlier changes left that no search shows and none can any more; absent: they leave nothing for a later one to delete. */
  purge?(scope: Scope, options: CallOptions): Promise<void>;
  /** Absent: the legs are fused by a prior. */
  readonly fusion?: FusionStore;
  /** Absent: a collection cannot be moved to another vector space. */
  readonly reembedding?: Reembedding | undefined;
  /** Absent: a collection can be moved neither from here nor to here. */
  readonly transfer?: Transfer;
  close?(): Promise<void>;
}
