import { valueAt } from "./columns.ts";
import { type LiveSegment, type PassageRecord, type Segment, SegmentWriter } from "./segment.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A segment is merged into the ones before it until each is at least this many times as large as all after it. */
const SIZE_RATIO = 2;

/**
 * The same passages in at most about log2(n) segments, largest first: the sizes fall geometrically, so that a passage is
 * rewritten about log2(n) times as the index grows. Also rewrites segments of which over half is removed.
 */
export function mergeSegments(
  segments: readonly LiveSegment[],
  vocabulary: Vocabulary,
  dimensions: number | null,
): LiveSegment[] {
  const kept: LiveSegment[] = [];
  const ordered = segments.filter((live) => live.passages > 0).sort((a, b) => b.passages - a.passages);
  const sizes = ordered.map((live) => live.passages);
  let after = 0;
  let from = ordered.length;
  for (let i = ordered.length - 1; i >= 0; i--) {
    const size = sizes[i] as number;
    if (i < ordered.length - 1 && size < SIZE_RATIO * after) from = i;
    after += size;
  }
  for (const live of ordered.slice(0, from)) {
    kept.push(live.passages * 2 < live.segment.size ? rewritten([live], vocabulary, dimensions) : live);
  }
  if (from < ordered.length) kept.push(rewritten(ordered.slice(from), vocabulary, dimensions));
  return kept;
}

/** One segment with the live passages of several. */
function rewritten(sources: readonly LiveSegment[], vocabulary: Vocabulary, dimensions: number | null): LiveSegment {
  const places = sources
    .flatMap(({ segment, removed }) =>
      Array.from({ length: segment.size }, (_, from) => ({ segment, from })).filter(
        ({ from }) => removed?.[from] !== 1,
      ),
    )
    .sort(
      (a, b) =>
        (a.segment.documentRows[a.from] as number) - (b.segment.documentRows[b.from] as number) ||
        (a.segment.rows[a.from] as number) - (b.segment.rows[b.from] as number),
    );
  const positions = new Map(sources.map(({ segment }) => [segment, new Int32Array(segment.size).fill(-1)]));
  const writer = new SegmentWriter(places.length, dimensions);
  for (const [position, { segment, from }] of places.entries()) {
    const moved = positions.get(segment);
    if (moved) moved[from] = position;
    writer.place(position, recordAt(segment, from));
  }
  for (const [segment, moved] of positions) copyPostings(segment, moved, writer);
  const tokens = sources.reduce((sum, live) => sum + live.tokens, 0);
  return { segment: writer.build(vocabulary.size), removed: null, passages: places.length, tokens };
}

function recordAt(segment: Segment, position: number): PassageRecord {
  const { vectors } = segment;
  return {
    row: segment.rows[position] as number,
    documentRow: segment.documentRows[position] as number,
    length: segment.lengths[position] as number,
    vector: vectors?.values.subarray(position * vectors.dimensions, (position + 1) * vectors.dimensions) ?? null,
    metadata: [...segment.columns].flatMap(([field, column]) => {
      const value = valueAt(column, position);
      return value === undefined ? [] : [[field, value] as const];
    }),
    groups: valueAt(segment.groups, position) ?? [],
  };
}

function copyPostings({ postings }: Segment, moved: Int32Array, writer: SegmentWriter): void {
  for (let i = 0; i < postings.terms.length; i++) {
    const term = postings.terms[i] as number;
    for (let p = postings.offsets[i] as number; p < (postings.offsets[i + 1] as number); p++) {
      const position = moved[postings.passages[p] as number] as number;
      if (position >= 0) writer.postings.add(term, position, postings.counts[p] as number);
    }
  }
}
