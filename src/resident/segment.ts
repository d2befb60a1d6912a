import type { PassageParts } from "../text/passage-text.ts";
import type { Metadata, MetadataValue } from "../types.ts";
import { type Column, ColumnBuilder } from "./columns.ts";
import { firstAtLeast, PostingsBuilder } from "./postings.ts";
import type { SegmentArrays } from "./scan.ts";
import { type PassageTerms, termsOf } from "./terms.ts";
import { allocateVectors, setVector } from "./vectors.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Looking a passage up among the postings of a term costs about as much as reading so many of them in a row. */
const LOOKUP_COST = 16;
/** A distinct value of a metadata field, on V8's heap. */
const VALUE_BYTES = 64;

/** A passage as the resident index takes it in. Its text is read, not kept. */
export interface ResidentPassage extends PassageParts {
  /** Row id in the system of record: unique, never reused. */
  readonly row: number;
  readonly documentRow: number;
  readonly vector: Float32Array | null;
  readonly metadata: Metadata;
  /** Groups that may read it; empty: everyone. */
  readonly groups: readonly string[];
  /** Where they were found before, by the partition's own vocabulary. */
  readonly terms?: PassageTerms;
}

/** Passages in column form; those of a document stand together. Never changes once built. */
export interface Segment {
  readonly size: number;
  readonly arrays: SegmentArrays;
  readonly documents: DocumentRuns;
  readonly columns: ReadonlyMap<string, Column<MetadataValue>>;
  readonly groups: Column<readonly string[]>;
  /** The latest change that is in it, as the partition was told. */
  readonly asOf: number;
  /** What was removed of it, and counted since. */
  readonly removals: Removals;
}

/** Where the passages of each document stand: run i are those of document `rows[i]`, from `starts[i]` to before `ends[i]`. */
export interface DocumentRuns {
  /** Ascending. */
  readonly rows: Float64Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Positions in the order of their removal; by the place of a term that was asked for, how many of these hold it. */
export interface Removals {
  readonly positions: number[];
  readonly counted: Map<number, { readonly upTo: number; readonly holding: number }>;
}

export function noRemovals(): Removals {
  return { positions: [], counted: new Map() };
}

/** What it takes in memory, about. */
export function bytesOf({ segment: { arrays, documents, columns, groups }, live }: LiveSegment): number {
  const { rows, lengths, postings, vectors } = arrays;
  const { starts, ends } = documents;
  const all = [rows, lengths, ...Object.values(postings), documents.rows, starts, ends, ...(live ? [live] : [])];
  const vectorBytes = vectors?.memory?.buffer.byteLength ?? vectors?.values.byteLength ?? 0;
  const ofColumns = [groups, ...columns.values()].map(
    ({ values, codes }) => codes.byteLength + values.length * VALUE_BYTES,
  );
  return [vectorBytes, ...all.map(({ byteLength }) => byteLength), ...ofColumns].reduce((sum, bytes) => sum + bytes);
}

/** Builds a segment from passages, a passage a step; `dimensions` is that of their vectors, null where none has one. */
export function* buildSteps(
  passages: readonly ResidentPassage[],
  vocabulary: Vocabulary,
  dimensions: number | null,
  asOf: number,
): Generator<void, Segment> {
  const ordered = passages.toSorted((a, b) => a.documentRow - b.documentRow || a.row - b.row);
  const size = ordered.length;
  const builder = new PostingsBuilder();
  const rows = sharedFloats(size);
  const lengths = sharedInts(size);
  const columns = new Map<string, ColumnBuilder<MetadataValue>>();
  const groups = new ColumnBuilder<readonly string[]>(size);
  const vectors = dimensions === null ? null : allocateVectors(size, dimensions);
  for (const [position, passage] of ordered.entries()) {
    const { terms, counts, length } = passage.terms ?? termsOf(passage, vocabulary);
    for (let i = 0; i < terms.length; i++) builder.add(terms[i] as number, position, counts[i] as number);
    rows[position] = passage.row;
    lengths[position] = length;
    for (const [field, value] of Object.entries(passage.metadata)) columnOf(columns, field, size).set(position, value);
    groups.set(position, passage.groups);
    if (vectors && passage.vector) setVector(vectors, position, passage.vector);
    yield;
  }
  return {
    size,
    arrays: { rows, lengths, postings: builder.build(), vectors },
    documents: runsOf(ordered),
    columns: new Map([...columns].map(([field, column]) => [field, column.build()])),
    groups: groups.build(),
    asOf,
    removals: noRemovals(),
  };
}

/** The field's column, a new one if need be. */
export function columnOf<T>(columns: Map<string, ColumnBuilder<T>>, field: string, size: number): ColumnBuilder<T> {
  let column = columns.get(field);
  if (!column) {
    column = new ColumnBuilder(size);
    columns.set(field, column);
  }
  return column;
}

export function sharedFloats(size: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(size * 8));
}

export function sharedInts(size: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(size * 4));
}

function runsOf(ordered: readonly ResidentPassage[]): DocumentRuns {
  const starts = ordered.flatMap(({ documentRow }, i) => (documentRow === ordered[i - 1]?.documentRow ? [] : [i]));
  return {
    rows: Float64Array.from(starts, (start) => ordered[start]?.documentRow ?? 0),
    starts: Uint32Array.from(starts),
    ends: Uint32Array.from([...starts.slice(1), ordered.length]),
  };
}

/** A segment as one snapshot sees it. */
export interface LiveSegment {
  readonly segment: Segment;
  /** One byte a passage, 1 where it is still there; null where all are. */
  readonly live: Uint8Array | null;
  /** How many of the segment's removals this snapshot knows of. */
  readonly removed: number;
  readonly passages: number;
  /** Sum of the lengths of the passages that are left. */
  readonly tokens: number;
}

/** The whole of a segment. */
export function wholeSegment(segment: Segment): LiveSegment {
  const tokens = segment.arrays.lengths.reduce((sum, length) => sum + length, 0);
  return { segment, live: null, removed: 0, passages: segment.size, tokens };
}

/**
 * The segment without the passages of a document that is in `documents`; the same object where none is here. `of` is the
 * latest snapshot of its segment.
 */
export function withoutDocuments(of: LiveSegment, documents: readonly number[]): LiveSegment {
  const { segment } = of;
  const { rows, starts, ends } = segment.documents;
  let live: Uint8Array | null = null;
  let { tokens } = of;
  const positions: number[] = [];
  for (const document of documents) {
    for (let run = firstAtLeast(rows, document, 0, rows.length); rows[run] === document; run++) {
      for (let i = starts[run] as number; i < (ends[run] as number); i++) {
        if (of.live?.[i] === 0 || live?.[i] === 0) continue;
        live ??= copyOf(of);
        live[i] = 0;
        positions.push(i);
        tokens -= segment.arrays.lengths[i] as number;
      }
    }
  }
  if (!live) return of;
  // A change that was refused may have left some here.
  segment.removals.positions.length = of.removed;
  for (const position of positions) segment.removals.positions.push(position);
  const removed = of.removed + positions.length;
  return { segment, live, removed, passages: of.passages - positions.length, tokens };
}

/** In memory that other threads see, so that no search copies it. */
function copyOf({ segment, live }: LiveSegment): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(segment.size));
  if (live) copy.set(live);
  else copy.fill(1);
  return copy;
}

/** In how many passages of the snapshot the term stands, whose postings are at `place`. */
export function liveFrequency({ segment, live, removed }: LiveSegment, place: number): number {
  const { postings } = segment.arrays;
  const from = postings.starts[place] as number;
  const to = postings.ends[place] as number;
  if (!live) return to - from;
  const { positions, counted } = segment.removals;
  let { upTo, holding } = counted.get(place) ?? { upTo: 0, holding: 0 };
  if ((removed - upTo) * LOOKUP_COST > to - from) {
    holding = 0;
    for (let i = from; i < to; i++) if (live[postings.passages[i] as number] === 0) holding++;
  } else {
    for (; upTo < removed; upTo++) {
      const position = positions[upTo] as number;
      const at = firstAtLeast(postings.passages, position, from, to);
      if (at < to && postings.passages[at] === position) holding++;
    }
  }
  counted.set(place, { upTo: removed, holding });
  return to - from - holding;
}
