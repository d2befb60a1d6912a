import { headingText, passageText } from "../text/passage-text.ts";
import { searchTokens } from "../text/tokens.ts";
import type { Metadata, MetadataValue } from "../types.ts";
import { type Column, ColumnBuilder } from "./columns.ts";
import { type Postings, PostingsBuilder, packedCount } from "./postings.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A passage as the resident index takes it in. Its text is read, not kept. */
export interface ResidentPassage {
  /** Row id in the system of record: unique, never reused. */
  readonly row: number;
  readonly documentRow: number;
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
  readonly vector: Float32Array | null;
  readonly metadata: Metadata;
  /** Groups that may read it; empty: everyone. */
  readonly groups: readonly string[];
}

/** Vectors of a segment's passages, one after the other; all zeros where a passage has none. */
export interface Vectors {
  readonly dimensions: number;
  readonly values: Float32Array;
}

/** Passages in column form, ordered by document. Never changes once built. */
export interface Segment {
  readonly size: number;
  readonly rows: Float64Array;
  /** Ascending. */
  readonly documentRows: Float64Array;
  /** Search tokens of a passage's text, without title and headings; at least 1. */
  readonly lengths: Uint32Array;
  readonly postings: Postings;
  readonly columns: ReadonlyMap<string, Column<MetadataValue>>;
  readonly groups: Column<readonly string[]>;
  /** Null where no passage has a vector. */
  readonly vectors: Vectors | null;
}

/** Builds a segment from passages; `dimensions` is the partition's, null while it has no vector. */
export function buildSegment(
  passages: readonly ResidentPassage[],
  vocabulary: Vocabulary,
  dimensions: number | null,
): Segment {
  const ordered = passages.toSorted((a, b) => a.documentRow - b.documentRow || a.row - b.row);
  const writer = new SegmentWriter(ordered.length, dimensions);
  for (const [position, passage] of ordered.entries()) {
    const tokens = searchTokens(passageText(passage), vocabulary.stem);
    const heading = searchTokens(headingText(passage), vocabulary.stem);
    const everywhere = countTerms(tokens, vocabulary);
    const inHeading = countTerms(heading, vocabulary);
    const length = Math.max(1, tokens.length - heading.length);
    for (const [term, count] of everywhere) {
      const above = inHeading.get(term) ?? 0;
      writer.postings.add(term, position, packedCount(above, count - above));
    }
    writer.place(position, {
      ...passage,
      length,
      metadata: Object.entries(passage.metadata),
    });
  }
  return writer.build(vocabulary.size);
}

function countTerms(tokens: readonly string[], vocabulary: Vocabulary): Map<number, number> {
  const counts = new Map<number, number>();
  for (const token of tokens) {
    const term = vocabulary.intern(token);
    counts.set(term, (counts.get(term) ?? 0) + 1);
  }
  return counts;
}

/** What a segment keeps of a passage besides its postings. */
export interface PassageRecord {
  readonly row: number;
  readonly documentRow: number;
  readonly length: number;
  readonly vector: Float32Array | null;
  readonly metadata: Iterable<readonly [field: string, value: MetadataValue]>;
  readonly groups: readonly string[];
}

/** Fills a segment of known size, passage by passage. */
export class SegmentWriter {
  readonly postings = new PostingsBuilder();
  readonly #rows: Float64Array;
  readonly #documentRows: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #columns = new Map<string, ColumnBuilder<MetadataValue>>();
  readonly #groups: ColumnBuilder<readonly string[]>;
  readonly #vectors: Vectors | null;
  readonly #size: number;

  constructor(size: number, dimensions: number | null) {
    this.#size = size;
    this.#rows = new Float64Array(size);
    this.#documentRows = new Float64Array(size);
    this.#lengths = new Uint32Array(size);
    this.#groups = new ColumnBuilder(size);
    this.#vectors = dimensions === null ? null : { dimensions, values: new Float32Array(size * dimensions) };
  }

  place(position: number, passage: PassageRecord): void {
    this.#rows[position] = passage.row;
    this.#documentRows[position] = passage.documentRow;
    this.#lengths[position] = passage.length;
    this.#groups.set(position, passage.groups);
    for (const [field, value] of passage.metadata) {
      let column = this.#columns.get(field);
      if (!column) {
        column = new ColumnBuilder(this.#size);
        this.#columns.set(field, column);
      }
      column.set(position, value);
    }
    if (passage.vector && this.#vectors) {
      this.#vectors.values.set(passage.vector, position * this.#vectors.dimensions);
    }
  }

  build(vocabularySize: number): Segment {
    return {
      size: this.#size,
      rows: this.#rows,
      documentRows: this.#documentRows,
      lengths: this.#lengths,
      postings: this.postings.build(vocabularySize),
      columns: new Map([...this.#columns].map(([field, column]) => [field, column.build()])),
      groups: this.#groups.build(),
      vectors: this.#vectors,
    };
  }
}

/** A segment as one snapshot sees it. */
export interface LiveSegment {
  readonly segment: Segment;
  /** One byte a passage, 1 where it is removed; null where nothing is. */
  readonly removed: Uint8Array | null;
  readonly passages: number;
  /** Sum of the lengths of the passages that are left. */
  readonly tokens: number;
}

/** The segment without the passages of a document that is in `documents`; the same object where none is here. */
export function withoutDocuments(live: LiveSegment, documents: readonly number[]): LiveSegment {
  const { segment } = live;
  let removed: Uint8Array | null = null;
  let { passages, tokens } = live;
  for (const document of documents) {
    for (let i = firstOfDocument(segment, document); segment.documentRows[i] === document; i++) {
      if (live.removed?.[i] === 1 || removed?.[i] === 1) continue;
      removed ??= live.removed?.slice() ?? new Uint8Array(segment.size);
      removed[i] = 1;
      passages--;
      tokens -= segment.lengths[i] as number;
    }
  }
  return removed ? { segment, removed, passages, tokens } : live;
}

function firstOfDocument(segment: Segment, document: number): number {
  let low = 0;
  let high = segment.size;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segment.documentRows[middle] as number) < document) low = middle + 1;
    else high = middle;
  }
  return low;
}
