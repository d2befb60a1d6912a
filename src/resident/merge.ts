import type { MetadataValue } from "../types.ts";
import { type Column, ColumnBuilder } from "./columns.ts";
import { allocatePostings, isWide, type Postings, SEGMENT_PASSAGES_MAX } from "./postings.ts";
import type { SegmentArrays } from "./scan.ts";
import { columnOf, type DocumentRuns, type LiveSegment, type Segment, sharedFloats, sharedInts } from "./segment.ts";
import { allocateVectors, rowsMax, setVector, type Vectors, vectorAt } from "./vectors.ts";

/** A segment is merged into the ones before it until each is at least this many times as large as all after it. */
const SIZE_RATIO = 2;
/** Rows of arrays, pairs of postings, and vectors that one step moves: each a fraction of a millisecond. */
const STEP_ROWS = 4_096;
const STEP_VECTORS = 32;
const REMOVED = -1;

/**
 * Which segments to merge into one: the sizes shall fall geometrically, so that a passage is rewritten about log2(n) times as
 * the index grows. Also a single one of which over half is removed. Empty: nothing to do.
 */
export function segmentsToMerge(segments: readonly LiveSegment[], dimensions: number | null): LiveSegment[] {
  const ordered = segments.toSorted((a, b) => b.passages - a.passages);
  const most = passagesMax(dimensions);
  let after = 0;
  let from = ordered.length;
  for (let i = ordered.length - 1; i >= 0; i--) {
    const size = ordered[i]?.passages ?? 0;
    if (size + after > most) break;
    if (i < ordered.length - 1 && size < SIZE_RATIO * after) from = i;
    after += size;
  }
  if (from < ordered.length) return ordered.slice(from);
  return ordered.filter((one) => one.passages * 2 < one.segment.size).slice(0, 1);
}

/** The smallest that fit into one segment together, where they are several. */
export function segmentsToCompact(segments: readonly LiveSegment[], dimensions: number | null): LiveSegment[] {
  const most = passagesMax(dimensions);
  const chosen: LiveSegment[] = [];
  let size = 0;
  for (const live of segments.toSorted((a, b) => a.passages - b.passages)) {
    size += live.passages;
    if (size > most) break;
    chosen.push(live);
  }
  return chosen.length > 1 ? chosen : [];
}

function passagesMax(dimensions: number | null): number {
  return dimensions === null ? SEGMENT_PASSAGES_MAX : Math.min(SEGMENT_PASSAGES_MAX, rowsMax(dimensions));
}

/** What of a segment is merged over memory that every thread sees. */
export type MergeSource = Pick<LiveSegment, "live" | "passages"> & { readonly arrays: SegmentArrays };

export function mergeSource({ segment: { arrays }, live, passages }: LiveSegment): MergeSource {
  return { arrays, live, passages };
}

/**
 * The live passages of several segments as those of one, in steps that each take a fraction of a millisecond. Passages keep their order
 * within each source, so that postings stay ascending. By far most of a merge, and on any thread.
 */
export function* mergeArrays(
  sources: readonly MergeSource[],
  dimensions: number | null,
): Generator<void, SegmentArrays> {
  const moves = yield* movesOf(sources);
  const size = sizeOf(sources);
  const rows = sharedFloats(size);
  const lengths = sharedInts(size);
  const vectors = dimensions === null ? null : allocateVectors(size, dimensions);
  for (const [i, { arrays }] of sources.entries()) {
    const to = moves[i] as Int32Array;
    yield* copyEach(to, (from, at) => {
      rows[at] = arrays.rows[from] as number;
      lengths[at] = arrays.lengths[from] as number;
    });
    if (vectors && arrays.vectors) yield* copyVectors(arrays.vectors, vectors, to);
  }
  const postings = yield* mergePostings(
    sources.map(({ arrays }) => arrays.postings),
    moves,
  );
  return { rows, lengths, postings, vectors };
}

/** What of the merged segment is not in shared memory. */
export function* mergeRest(
  sources: readonly LiveSegment[],
): Generator<void, Pick<Segment, "size" | "documents" | "columns" | "groups">> {
  const moves = yield* movesOf(sources.map(mergeSource));
  const size = sizeOf(sources);
  const columns = new Map<string, ColumnBuilder<MetadataValue>>();
  const groups = new ColumnBuilder<readonly string[]>(size);
  for (const [i, { segment }] of sources.entries()) {
    const to = moves[i] as Int32Array;
    yield* copyColumn(segment.groups, groups, to);
    for (const [field, column] of segment.columns) yield* copyColumn(column, columnOf(columns, field, size), to);
  }
  const documents = yield* mergeDocuments(
    sources.map(({ segment }) => segment.documents),
    moves,
  );
  const built = new Map([...columns].map(([field, column]) => [field, column.build()]));
  return { size, documents, columns: built, groups: groups.build() };
}

/** For each source, where each passage goes: one after the other; -1: it is removed. */
function* movesOf(sources: readonly MergeSource[]): Generator<void, Int32Array[]> {
  const moves: Int32Array[] = [];
  let next = 0;
  for (const { arrays, live } of sources) {
    const to = new Int32Array(arrays.rows.length);
    for (let i = 0; i < to.length; i++) {
      to[i] = live?.[i] === 0 ? REMOVED : next++;
      if (i % STEP_ROWS === STEP_ROWS - 1) yield;
    }
    moves.push(to);
    yield;
  }
  return moves;
}

export function sizeOf(sources: readonly { readonly passages: number }[]): number {
  return sources.reduce((sum, { passages }) => sum + passages, 0);
}

function* copyEach(moves: Int32Array, copy: (from: number, to: number) => void, step = STEP_ROWS): Generator<void> {
  for (let from = 0; from < moves.length; from++) {
    const to = moves[from] as number;
    if (to >= 0) copy(from, to);
    if (from % step === step - 1) yield;
  }
}

function* copyColumn<T>(column: Column<T>, into: ColumnBuilder<T>, moves: Int32Array): Generator<void> {
  const codes = new Uint32Array(column.values.length + 1);
  yield* copyEach(
    moves,
    (from, to) => {
      const code = column.codes[from] as number;
      if (code === 0) return;
      if (codes[code] === 0) codes[code] = into.encode(column.values[code - 1] as T);
      into.setCode(to, codes[code] as number);
    },
    STEP_ROWS / 16,
  );
}

function copyVectors(source: Vectors, into: Vectors, moves: Int32Array): Generator<void> {
  const [from, to] = [source.bytes, into.bytes];
  if (!from || !to) {
    return copyEach(moves, (row, at) => setVector(into, at, vectorAt(source, row)), STEP_VECTORS);
  }
  const { stride } = source;
  return copyEach(
    moves,
    (row, at) => {
      to.codes.set(from.codes.subarray(row * stride, (row + 1) * stride), at * stride);
      to.rests.set(from.rests.subarray(row * stride, (row + 1) * stride), at * stride);
      to.scales[at] = from.scales[row] as number;
      to.sums[at] = from.sums[row] as number;
    },
    STEP_VECTORS * 2,
  );
}

function* mergePostings(sources: readonly Postings[], moves: readonly Int32Array[]): Generator<void, Postings> {
  const { terms, pairs } = yield* countLive(sources, moves);
  const merged = allocatePostings(terms, pairs, sources.some(isWide));
  const heads = sources.map(() => 0);
  let place = 0;
  let at = 0;
  let sinceYield = 0;
  for (let term = nextTerm(sources, heads); term < Number.POSITIVE_INFINITY; term = nextTerm(sources, heads)) {
    const start = at;
    for (const [i, source] of sources.entries()) {
      const head = heads[i] as number;
      if (source.terms[head] !== term) continue;
      heads[i] = head + 1;
      const to = moves[i] as Int32Array;
      for (let p = source.starts[head] as number; p < (source.ends[head] as number); p++) {
        const position = to[source.passages[p] as number] as number;
        if (position < 0) continue;
        merged.passages[at] = position;
        merged.counts[at++] = source.counts[p] as number;
      }
    }
    if (at > start) {
      merged.terms[place] = term;
      merged.starts[place] = start;
      merged.ends[place++] = at;
    }
    sinceYield += at - start + 8;
    if (sinceYield > STEP_ROWS) {
      sinceYield = 0;
      yield;
    }
  }
  return merged;
}

/** The lowest term that is still to come. */
function nextTerm(sources: readonly Postings[], heads: readonly number[]): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < sources.length; i++) {
    const term = sources[i]?.terms[heads[i] as number];
    if (term !== undefined && term < lowest) lowest = term;
  }
  return lowest;
}

/** How many terms and pairs of them and passages are left. */
function* countLive(
  sources: readonly Postings[],
  moves: readonly Int32Array[],
): Generator<void, { terms: number; pairs: number }> {
  const highest = Math.max(-1, ...sources.map(({ terms }) => terms.at(-1) ?? -1));
  const isLive = new Uint8Array(highest + 1);
  let pairs = 0;
  let sinceYield = 0;
  for (const [i, { terms, starts, ends, passages }] of sources.entries()) {
    const to = moves[i] as Int32Array;
    for (let place = 0; place < terms.length; place++) {
      const before = pairs;
      for (let p = starts[place] as number; p < (ends[place] as number); p++) {
        if ((to[passages[p] as number] as number) >= 0) pairs++;
      }
      if (pairs > before) isLive[terms[place] as number] = 1;
      sinceYield += (ends[place] as number) - (starts[place] as number) + 2;
      if (sinceYield > STEP_ROWS * 4) {
        sinceYield = 0;
        yield;
      }
    }
  }
  return { terms: isLive.reduce((sum, one) => sum + one, 0), pairs };
}

/** The sources' runs are in order each; passages of one that are left stand together again. */
function* mergeDocuments(
  sources: readonly DocumentRuns[],
  moves: readonly Int32Array[],
): Generator<void, DocumentRuns> {
  const rows: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const heads = sources.map(() => 0);
  for (let taken = 1; ; taken++) {
    let from = -1;
    for (let i = 0; i < sources.length; i++) {
      const row = sources[i]?.rows[heads[i] as number];
      if (row !== undefined && (from < 0 || row < (sources[from]?.rows[heads[from] as number] ?? 0))) from = i;
    }
    const source = sources[from];
    if (!source) break;
    const run = heads[from] as number;
    heads[from] = run + 1;
    const kept = (moves[from] as Int32Array)
      .subarray(source.starts[run] as number, source.ends[run] as number)
      .filter((position) => position >= 0);
    if (kept.length > 0) {
      rows.push(source.rows[run] as number);
      starts.push(kept[0] as number);
      ends.push((kept.at(-1) as number) + 1);
    }
    if (taken % 1024 === 0) yield;
  }
  return { rows: Float64Array.from(rows), starts: Uint32Array.from(starts), ends: Uint32Array.from(ends) };
}
