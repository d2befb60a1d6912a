/**
 * An inverted index in compressed rows: the passages that hold `terms[i]` stand at `starts[i]` to `ends[i]`, and beside each
 * how often it holds it. Whatever else a ranking needs of a (term, passage) pair is one more array beside `counts`.
 */
export interface Postings {
  /** Vocabulary numbers, ascending. */
  readonly terms: Uint32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Positions of passages in the segment, ascending within a term. */
  readonly passages: Uint32Array;
  /** How often the term stands in the passage, by field: see `packedCount`. */
  readonly counts: Uint16Array;
}

/** Bits of a count that are the text's; those above are the title's and headings'. */
export const TEXT_COUNT_BITS = 12;
export const TEXT_COUNT_MAX = (1 << TEXT_COUNT_BITS) - 1;
const HEADING_COUNT_MAX = 15;

/** A term's occurrences in title and headings, at most 15, and in the text, at most 4,095, as one number. */
export function packedCount(inHeading: number, inText: number): number {
  const text = Math.max(0, Math.min(inText, TEXT_COUNT_MAX));
  return (Math.min(inHeading, HEADING_COUNT_MAX) << TEXT_COUNT_BITS) | text;
}

/** Room for postings of so many terms and pairs, in memory that other threads can see. */
export function allocatePostings(terms: number, pairs: number): Postings {
  return {
    terms: new Uint32Array(new SharedArrayBuffer(terms * 4)),
    starts: new Uint32Array(new SharedArrayBuffer(terms * 4)),
    ends: new Uint32Array(new SharedArrayBuffer(terms * 4)),
    passages: new Uint32Array(new SharedArrayBuffer(pairs * 4)),
    counts: new Uint16Array(new SharedArrayBuffer(pairs * 2)),
  };
}

/** Collects the passages' terms, passage by passage, and orders them by term. */
export class PostingsBuilder {
  readonly #terms: number[] = [];
  readonly #passages: number[] = [];
  readonly #counts: number[] = [];

  /** Passages in ascending order. */
  add(term: number, passage: number, count: number): void {
    this.#terms.push(term);
    this.#passages.push(passage);
    this.#counts.push(count);
  }

  build(): Postings {
    const sizes = new Map<number, number>();
    for (const term of this.#terms) sizes.set(term, (sizes.get(term) ?? 0) + 1);
    const postings = allocatePostings(sizes.size, this.#terms.length);
    const places = new Map<number, number>();
    let start = 0;
    for (const [place, term] of Uint32Array.from(sizes.keys()).sort().entries()) {
      postings.terms[place] = term;
      postings.starts[place] = start;
      postings.ends[place] = start;
      places.set(term, place);
      start += sizes.get(term) ?? 0;
    }
    for (const [i, term] of this.#terms.entries()) {
      const place = places.get(term) ?? 0;
      const at = postings.ends[place] as number;
      postings.ends[place] = at + 1;
      postings.passages[at] = this.#passages[i] as number;
      postings.counts[at] = this.#counts[i] as number;
    }
    return postings;
  }
}

/** Where the term's passages stand, or -1. */
export function findTerm(postings: Postings, term: number): number {
  const place = firstAtLeast(postings.terms, term, 0, postings.terms.length);
  return postings.terms[place] === term && place < postings.terms.length ? place : -1;
}

/** The first place from `from` (ascending values) to before `to` that holds `value` or more; `to` where none does. */
export function firstAtLeast(values: Uint32Array | Float64Array, value: number, from: number, to: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
