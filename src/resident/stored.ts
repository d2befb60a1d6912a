import type { MetadataValue } from "../types.ts";
import type { Column } from "./columns.ts";
import { allocatePostings } from "./postings.ts";
import { noRemovals, type Segment, sharedFloats, sharedInts } from "./segment.ts";
import { allocateVectors } from "./vectors.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Changes with the layout below, and with what text/tokens.ts makes of a text: a segment of another format is not read. */
export const STORED_FORMAT = 2;

const PART_BYTES_MAX = 1 << 20;
const TERMS_PER_PART = 16_384;

/** The first part, as JSON. After it come the terms, so many a part and one a line, then the arrays one after the other. */
interface Header {
  readonly size: number;
  readonly terms: number;
  readonly pairs: number;
  readonly documents: number;
  readonly dimensions: number | null;
  readonly columns: readonly { readonly field: string; readonly values: readonly MetadataValue[] }[];
  readonly groups: readonly (readonly string[])[];
}

/** A segment without its vectors, in parts of up to about a megabyte; each takes a few milliseconds at most. */
export function* encodeSegment(segment: Segment, vocabulary: Vocabulary): Generator<Uint8Array> {
  const { arrays, documents, columns, groups } = segment;
  const { postings } = arrays;
  const header: Header = {
    size: segment.size,
    terms: postings.terms.length,
    pairs: postings.passages.length,
    documents: documents.rows.length,
    dimensions: arrays.vectors?.dimensions ?? null,
    columns: [...columns].map(([field, { values }]) => ({ field, values })),
    groups: groups.values,
  };
  yield Buffer.from(JSON.stringify(header));
  for (let i = 0; i < postings.terms.length; i += TERMS_PER_PART) {
    const numbers = postings.terms.subarray(i, i + TERMS_PER_PART);
    yield Buffer.from(Array.from(numbers, (number) => vocabulary.termOf(number)).join("\n"));
  }
  for (const array of arraysOf(segment)) {
    for (let at = 0; at < array.byteLength; at += PART_BYTES_MAX) {
      const bytes = Math.min(PART_BYTES_MAX, array.byteLength - at);
      // A copy: what is shared between threads cannot be posted as a value.
      yield new Uint8Array(array.buffer, array.byteOffset + at, bytes).slice();
    }
  }
}

/** The segment that was encoded, with room for its vectors. @throws Error where parts are missing or of the wrong size. */
export function decodeSegment(parts: Iterable<Uint8Array>, vocabulary: Vocabulary, asOf: number): Segment {
  const from = parts[Symbol.iterator]();
  const header = JSON.parse(text(next(from))) as Header;
  const numbers = new Uint32Array(header.terms);
  for (let i = 0; i < header.terms; i += TERMS_PER_PART) {
    for (const [at, term] of text(next(from)).split("\n").entries()) numbers[i + at] = vocabulary.intern(term);
  }
  const segment = emptySegment(header, asOf);
  for (const array of arraysOf(segment)) {
    for (let at = 0; at < array.byteLength; at += PART_BYTES_MAX) {
      const expected = Math.min(PART_BYTES_MAX, array.byteLength - at);
      const part = next(from);
      if (part.length !== expected) throw new Error(`a part of ${part.length} bytes, not ${expected}`);
      new Uint8Array(array.buffer, array.byteOffset + at, expected).set(part);
    }
  }
  renumber(segment, numbers);
  return segment;
}

function arraysOf({ arrays, documents, columns, groups }: Segment): (Float64Array | Uint32Array | Uint16Array)[] {
  const { rows, lengths, postings } = arrays;
  return [
    rows,
    lengths,
    postings.starts,
    postings.ends,
    postings.passages,
    postings.counts,
    documents.rows,
    documents.starts,
    documents.ends,
    groups.codes,
    ...[...columns.values()].map(({ codes }) => codes),
  ];
}

function emptySegment({ size, terms, pairs, documents, dimensions, columns, groups }: Header, asOf: number): Segment {
  const column = <T>(values: readonly T[]): Column<T> => ({ values, codes: new Uint32Array(size) });
  return {
    size,
    arrays: {
      rows: sharedFloats(size),
      lengths: sharedInts(size),
      postings: allocatePostings(terms, pairs),
      vectors: dimensions === null ? null : allocateVectors(size, dimensions),
    },
    documents: {
      rows: new Float64Array(documents),
      starts: new Uint32Array(documents),
      ends: new Uint32Array(documents),
    },
    columns: new Map(columns.map(({ field, values }) => [field, column(values)])),
    groups: column(groups),
    asOf,
    removals: noRemovals(),
  };
}

/** Puts the terms in the order of the numbers that they have here. */
function renumber({ arrays: { postings } }: Segment, numbers: Uint32Array): void {
  const { terms, starts, ends } = postings;
  const isOrdered = numbers.every((number, i) => i === 0 || number > (numbers[i - 1] as number));
  if (isOrdered) {
    terms.set(numbers);
    return;
  }
  const order = Uint32Array.from(numbers.keys()).sort((a, b) => (numbers[a] as number) - (numbers[b] as number));
  terms.set(order.map((place) => numbers[place] as number));
  starts.set(order.map((place) => starts[place] as number));
  ends.set(order.map((place) => ends[place] as number));
}

function next(parts: Iterator<Uint8Array>): Uint8Array {
  const { done, value } = parts.next();
  if (done) throw new Error("a part is missing");
  return value;
}

function text(part: Uint8Array): string {
  return Buffer.from(part.buffer, part.byteOffset, part.length).toString();
}
