/** An inverted index in compressed sparse rows: the passages that hold `terms[i]` stand at `offsets[i]` to `offsets[i + 1]`. */
export interface Postings {
  /** Vocabulary numbers, ascending. */
  readonly terms: Uint32Array;
  readonly offsets: Uint32Array;
  /** Positions of passages in the segment, in no particular order within a term. */
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

/** Collects (term, passage, count) triples in any order and sorts them by term in linear time. */
export class PostingsBuilder {
  #terms = new Uint32Array(1024);
  #passages = new Uint32Array(1024);
  #counts = new Uint16Array(1024);
  #size = 0;

  add(term: number, passage: number, count: number): void {
    if (this.#size === this.#terms.length) this.#grow();
    this.#terms[this.#size] = term;
    this.#passages[this.#size] = passage;
    this.#counts[this.#size] = count;
    this.#size++;
  }

  /** `vocabularySize` is above every term added. */
  build(vocabularySize: number): Postings {
    const places = new Uint32Array(vocabularySize + 1);
    for (let i = 0; i < this.#size; i++) bump(places, (this.#terms[i] as number) + 1);
    let distinct = 0;
    for (let term = 0; term < vocabularySize; term++) if ((places[term + 1] as number) > 0) distinct++;
    const terms = new Uint32Array(distinct);
    const offsets = new Uint32Array(distinct + 1);
    for (let term = 0, next = 0; term < vocabularySize; term++) {
      const frequency = places[term + 1] as number;
      places[term + 1] = (places[term] as number) + frequency;
      if (frequency === 0) continue;
      terms[next++] = term;
      offsets[next] = places[term + 1] as number;
    }
    const passages = new Uint32Array(this.#size);
    const counts = new Uint16Array(this.#size);
    for (let i = 0; i < this.#size; i++) {
      const place = bump(places, this.#terms[i] as number);
      passages[place] = this.#passages[i] as number;
      counts[place] = this.#counts[i] as number;
    }
    return { terms, offsets, passages, counts };
  }

  #grow(): void {
    const capacity = this.#terms.length * 2;
    this.#terms = enlarged(this.#terms, new Uint32Array(capacity));
    this.#passages = enlarged(this.#passages, new Uint32Array(capacity));
    this.#counts = enlarged(this.#counts, new Uint16Array(capacity));
  }
}

/** Where the term's passages stand, or -1. */
export function findTerm(postings: Postings, term: number): number {
  let low = 0;
  let high = postings.terms.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = postings.terms[middle] as number;
    if (found === term) return middle;
    if (found < term) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Adds one to an element and returns what it was. */
function bump(array: Uint32Array, index: number): number {
  const before = array[index] as number;
  array[index] = before + 1;
  return before;
}

function enlarged<T extends Uint32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
