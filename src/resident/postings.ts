/**
 * An inverted index in compressed rows: the passages that hold `terms[i]` stand at `starts[i]` to `ends[i]`, and beside each
 * how often it holds it. Whatever else a ranking needs of a (term, passage) pair is one more array beside `counts`.
 */
export interface Postings {
  /** Vocabulary numbers, ascending. */
  readonly terms: Uint32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Positions of passages in the segment, ascending within a term. Two bytes each: a search is as long as what it reads. */
  readonly passages: Uint16Array;
  /** How often the term stands in the passage, by field: see `packedCount`; bytes where all are below 256. */
  readonly counts: Uint8Array | Uint16Array;
}

/** Passages of one segment, at most. */
export const SEGMENT_PASSAGES_MAX = 65_536;
const BYTE_MAX = 255;

/** Bits of a count that are the title's and headings'; those above are the text's. */
export const HEADING_COUNT_BITS = 2;
export const HEADING_COUNT_MAX = (1 << HEADING_COUNT_BITS) - 1;
const TEXT_COUNT_MAX = (1 << (16 - HEADING_COUNT_BITS)) - 1;

/** A term's occurrences in title and headings, at most 3, and in the text, at most 16,383, as one number. */
export function packedCount(inHeading: number, inText: number): number {
  const text = Math.max(0, Math.min(inText, TEXT_COUNT_MAX));
  return (text << HEADING_COUNT_BITS) | Math.min(inHeading, HEADING_COUNT_MAX);
}

/** Room for postings of so many terms and pairs, in memory that other threads can see. `wide`: with counts above 255. */
export function allocatePostings(terms: number, pairs: number, wide: boolean): Postings {
  return {
    terms: new Uint32Array(new SharedArrayBuffer(terms * 4)),
    starts: new Uint32Array(new SharedArrayBuffer(terms * 4)),
    ends: new Uint32Array(new SharedArrayBuffer(terms * 4)),
    passages: new Uint16Array(new SharedArrayBuffer(pairs * 2)),
    counts: wide ? new Uint16Array(new SharedArrayBuffer(pairs * 2)) : new Uint8Array(new SharedArrayBuffer(pairs)),
  };
}

/** Collects the passages' terms, passage by passage, and orders them by term. */
export class PostingsBuilder {
  readonly #terms: number[] = [];
  readonly #passages: number[] = [];
  readonly #counts: number[] = [];
  #isWide = false;

  /** Passages in ascending order. */
  add(term: number, passage: number, count: number): void {
    this.#terms.push(term);
    this.#passages.push(passage);
    this.#counts.push(count);
    if (count > BYTE_MAX) this.#isWide = true;
  }

  build(): Postings {
    const pairs = this.#terms.length;
    // Term and place in one number: sorted natively, and exact below 2 ** 53.
    const base = 2 ** Math.ceil(Math.log2(pairs + 1));
    const keys = new Float64Array(pairs);
    for (let i = 0; i < pairs; i++) keys[i] = (this.#terms[i] as number) * base + i;
    keys.sort();
    let terms = 0;
    for (let i = 0, last = -1; i < pairs; i++) {
      const term = Math.floor((keys[i] as number) / base);
      if (term !== last) terms++;
      last = term;
    }
    const postings = allocatePostings(terms, pairs, this.#isWide);
    for (let at = 0, place = -1, last = -1; at < pairs; at++) {
      const key = keys[at] as number;
      const term = Math.floor(key / base);
      const i = key - term * base;
      if (term !== last) {
        postings.terms[++place] = term;
        postings.starts[place] = at;
      }
      last = term;
      postings.ends[place] = at + 1;
      postings.passages[at] = this.#passages[i] as number;
      postings.counts[at] = this.#counts[i] as number;
    }
    return postings;
  }
}

/** Whether there is room for counts above 255. */
export function isWide({ counts }: Postings): boolean {
  return counts instanceof Uint16Array;
}

/** Where the term's passages stand, or -1. */
export function findTerm(postings: Postings, term: number): number {
  const place = firstAtLeast(postings.terms, term, 0, postings.terms.length);
  return postings.terms[place] === term && place < postings.terms.length ? place : -1;
}

/** The first place from `from` (ascending values) to before `to` that holds `value` or more; `to` where none does. */
export function firstAtLeast(
  values: Uint16Array | Uint32Array | Float64Array,
  value: number,
  from: number,
  to: number,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
