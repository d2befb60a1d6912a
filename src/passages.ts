/** What is indexed, and what search returns of it. */

export type MetadataValue = string | number | boolean | readonly (string | number | boolean)[];
export type Metadata = Readonly<Record<string, MetadataValue>>;

/** What a filter compares one field with. Ranges compare numbers with numbers and strings with strings. */
export type FilterCondition =
  | string
  | number
  | boolean
  | {
      readonly $eq?: string | number | boolean;
      readonly $ne?: string | number | boolean;
      readonly $in?: readonly (string | number | boolean)[];
      readonly $nin?: readonly (string | number | boolean)[];
      readonly $gt?: string | number;
      readonly $gte?: string | number;
      readonly $lt?: string | number;
      readonly $lte?: string | number;
    };

/**
 * A metadata filter. All entries must hold. Keys are field names, or `$and`, `$or` (arrays of filters) and `$not` (a filter).
 * A list-valued field matches when any of its values does. `$ne`, `$nin` and `$not` also match rows without the field.
 */
export interface Filter {
  readonly [field: string]: FilterCondition | Filter | readonly Filter[] | undefined;
}

/** A document as it is indexed: its text is held by its passages. */
export interface Document {
  readonly id: string;
  readonly title: string;
  readonly url?: string;
  /** Hash of the source content: equal hashes need no new indexing. */
  readonly hash: string;
  readonly metadata: Metadata;
  /** Groups that may read it; empty: the whole tenant. */
  readonly groups: readonly string[];
  /** The file it was read from, absolute: tells two files of one id apart. Never shown to clients. */
  readonly source?: string;
  /** ISO 8601, UTC: of one that comes from another index, when it was indexed there; absent: now. */
  readonly indexedAt?: string;
}

/** A document as it is listed. */
export interface DocumentEntry extends Document {
  readonly passages: number;
  /** ISO 8601, UTC. */
  readonly indexedAt: string;
}

/** A passage on its way into the index. */
export interface PassageInput {
  readonly text: string;
  /** The headings above it, outermost first, without the document's title. */
  readonly headings: readonly string[];
  /** Tokens of `text` by the counter that cut it. */
  readonly tokens: number;
  /** Unit length; null where the collection has no vectors or the text has nothing to embed. */
  readonly vector: Float32Array | null;
  /** Where its text begins, in formats that have pages; from 1. */
  readonly page?: number;
  /** Where it ends, if that is a later one. */
  readonly pageEnd?: number;
}

/** A passage as search returns it. */
export interface Passage {
  /** `<document id>#<ordinal>`: unique within its tenant and collection. */
  readonly id: string;
  readonly documentId: string;
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
  readonly tokens: number;
  /** Of its document, where it begins; from 1. Absent in formats without pages. */
  readonly page?: number;
  /** Where it ends, if that is a later one. */
  readonly pageEnd?: number;
  readonly url?: string;
  readonly metadata: Metadata;
}

/** Where else a passage's text stands. */
export interface PassagePlace {
  readonly passageId: string;
  readonly documentId: string;
  readonly title: string;
  readonly headings: readonly string[];
  readonly page?: number;
  readonly pageEnd?: number;
  readonly url?: string;
}

export interface ScoredPassage {
  readonly passage: Passage;
  /** Comparable within one list only: every leg, fusion and reranker has a scale of its own. */
  readonly score: number;
  /** Passages that say the same in the same words, left out of the list for it; absent: none. */
  readonly alsoIn?: readonly PassagePlace[];
}
