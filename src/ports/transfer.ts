import type { CallOptions, DocumentEntry, PassageInput, Scope } from "../types.ts";

/** A document with all of its passages, as it can be stored elsewhere. */
export interface StoredDocument {
  readonly document: DocumentEntry;
  /** In order. */
  readonly passages: readonly PassageInput[];
}

/**
 * What moving a collection to another index needs of both, beside the rest of the port.
 *
 * 1. `read` gives one version of a document that the scope may read, or null: vectors bit for bit, or null where they were zeros.
 * 2. `collections` gives the names of the tenant's collections, ascending. Absent: the index cannot name them.
 */
export interface Transfer {
  /** Documents stored at once that it is fastest with. */
  readonly writesAtOnce: number;
  read(scope: Scope, documentId: string, options: CallOptions): Promise<StoredDocument | null>;
  collections?(tenant: string, options: CallOptions): Promise<string[]>;
}
