import { countOf, type ScannedPassage, scannedBytes } from "./milvus-scanned.ts";
import { saturated } from "./milvus-terms.ts";

/** A passage that holds a word. */
export interface Candidate {
  readonly id: string;
  readonly document: string;
  readonly words: ScannedPassage;
}

/** The passages that hold a word. */
export interface Posting {
  /** Numbers of candidates of a shelf. */
  readonly candidates: Int32Array;
  /** What the word adds to each one's score, but for its weight: see `saturated`. */
  readonly shares: Float64Array;
}

export type Terms = readonly (readonly [hash: number, weight: number])[];

/** Of 100,000 passages of a usual length, under a filter or two. */
const BYTES_MAX = 256_000_000;
const CANDIDATE_BYTES = 300;
const POSTING_BYTES = 12;
const SHELF_BYTES = 3000;

/** Those of a shelf's candidates that hold a word, as far as they were looked through. */
interface Looked {
  readonly candidates: number[];
  readonly shares: number[];
  /** The next candidate to look at. */
  next: number;
}

/** What was read under one filter, as long as a collection is of one version. */
export class Shelf {
  readonly version: string | null;
  /** Words are weighed by it: see `saturated`. */
  readonly averageLength: number;
  /** By hash. */
  readonly postings = new Map<number, Posting>();
  readonly #candidates: Candidate[] = [];
  readonly #numbers = new Map<string, number>();
  /** By hash: words whose postings nobody has read, because others decided. */
  readonly #looked = new Map<number, Looked>();
  /** By candidate, and which have one: used by one search at a time. */
  #scores = new Float64Array(0);
  #found = new Int32Array(0);
  /** In memory, about. */
  bytes = SHELF_BYTES;

  constructor(version: string | null, averageLength: number) {
    this.version = version;
    this.averageLength = averageLength;
  }

  /** Of these words, in passages that hold at least one of them. They are not kept. */
  postingsOf(hashes: readonly number[], passages: Iterable<Candidate>): Map<number, Posting> {
    const lists = new Map(hashes.map((hash) => [hash, { candidates: [] as number[], shares: [] as number[] }]));
    for (const passage of passages) {
      const number = this.#numberOf(passage);
      for (const [hash, { candidates, shares }] of lists) {
        const count = countOf(passage.words, hash);
        if (count === null) continue;
        candidates.push(number);
        shares.push(saturated(count, passage.words.length, this.averageLength));
      }
    }
    return new Map(
      [...lists].map(([hash, { candidates, shares }]) => [
        hash,
        { candidates: Int32Array.from(candidates), shares: Float64Array.from(shares) },
      ]),
    );
  }

  keep(postings: ReadonlyMap<number, Posting>): void {
    for (const [hash, posting] of postings) {
      if (this.postings.has(hash)) continue;
      this.postings.set(hash, posting);
      this.bytes += POSTING_BYTES * posting.candidates.length + CANDIDATE_BYTES;
    }
  }

  /** The best by all the terms, among the passages of those terms' postings that are known, and others that score as the last. */
  best(
    terms: Terms,
    postingOf: (hash: number) => Posting | undefined,
    limit: number,
  ): (Candidate & { readonly score: number })[] {
    const scores = this.#emptyScores();
    const others: Terms[number][] = [];
    let size = 0;
    for (const term of terms) {
      const [hash, weight] = term;
      const posting = postingOf(hash);
      if (posting) size = addPosting(posting, weight, scores, this.#found, size);
      else others.push(term);
    }
    for (const [hash, weight] of others) addToFound(this.#lookFor(hash), weight, scores);
    const found = this.#found.subarray(0, size);
    const reached = new Float64Array(size);
    for (let i = 0; i < size; i++) reached[i] = scores[found[i] as number] as number;
    const worst = nthBest(reached, limit) - TOLERANCE;
    const best: (Candidate & { readonly score: number })[] = [];
    for (const candidate of found) {
      const score = scores[candidate] as number;
      if (score > 0 && score >= worst) best.push({ ...(this.#candidates[candidate] as Candidate), score });
    }
    return best;
  }

  #lookFor(hash: number): Looked {
    const looked = this.#looked.get(hash) ?? { candidates: [], shares: [], next: 0 };
    this.#looked.set(hash, looked);
    const before = looked.candidates.length;
    for (; looked.next < this.#candidates.length; looked.next++) {
      const { words } = this.#candidates[looked.next] as Candidate;
      const count = countOf(words, hash);
      if (count === null) continue;
      looked.candidates.push(looked.next);
      looked.shares.push(saturated(count, words.length, this.averageLength));
    }
    this.bytes += POSTING_BYTES * (looked.candidates.length - before);
    return looked;
  }

  #numberOf(passage: Candidate): number {
    const known = this.#numbers.get(passage.id);
    if (known !== undefined) return known;
    const number = this.#candidates.push(passage) - 1;
    this.#numbers.set(passage.id, number);
    this.bytes += CANDIDATE_BYTES + scannedBytes(passage.words);
    return number;
  }

  #emptyScores(): Float64Array {
    const size = this.#candidates.length;
    if (this.#scores.length < size) {
      this.#scores = new Float64Array(2 * size);
      this.#found = new Int32Array(2 * size);
    }
    return this.#scores.fill(0, 0, this.#candidates.length);
  }
}

/** Postings that were read from a server without sparse vectors, of the filters asked for last. */
export class MilvusPostings {
  readonly #shelves = new Map<string, Shelf>();
  readonly #bytesMax: number;

  constructor(bytesMax = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** What is known under the filter of this version; null: one that nobody knows again. */
  shelf(filter: string, version: string | null, averageLength: number): Shelf {
    let shelf = this.#shelves.get(filter);
    if (version === null) return new Shelf(null, averageLength);
    const isNew = shelf?.version !== version || shelf.averageLength !== averageLength;
    if (!shelf || isNew) shelf = new Shelf(version, averageLength);
    this.#shelves.delete(filter);
    this.#shelves.set(filter, shelf);
    if (isNew) this.#limit();
    return shelf;
  }

  keep(shelf: Shelf, postings: ReadonlyMap<number, Posting>): void {
    shelf.keep(postings);
    this.#limit();
  }

  /** As `Shelf.best`. */
  best(shelf: Shelf, ...asked: Parameters<Shelf["best"]>): ReturnType<Shelf["best"]> {
    const before = shelf.bytes;
    const best = shelf.best(...asked);
    if (shelf.bytes > before) this.#limit();
    return best;
  }

  #limit(): void {
    let bytes = 0;
    for (const one of this.#shelves.values()) bytes += one.bytes;
    for (const [filter, oldest] of this.#shelves) {
      if (bytes <= this.#bytesMax) return;
      this.#shelves.delete(filter);
      bytes -= oldest.bytes;
    }
  }
}

/** Returns how many are found now. */
function addPosting(
  { candidates, shares }: Posting,
  weight: number,
  scores: Float64Array,
  found: Int32Array,
  before: number,
): number {
  let size = before;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as number;
    const score = scores[candidate] as number;
    if (score === 0) found[size++] = candidate;
    scores[candidate] = score + weight * (shares[i] as number);
  }
  return size;
}

function addToFound({ candidates, shares }: Looked, weight: number, scores: Float64Array): void {
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as number;
    const score = scores[candidate] as number;
    if (score !== 0) scores[candidate] = score + weight * (shares[i] as number);
  }
}

/** Scores that differ by less may be told to be equal. */
const TOLERANCE = 1e-6;
/** So few are kept in order as they come. */
const KEPT_IN_ORDER_MAX = 128;

/** The n-th best; of fewer, less than any. */
export function nthBest(scores: Float64Array, n: number): number {
  if (scores.length < n) return Number.NEGATIVE_INFINITY;
  if (n > KEPT_IN_ORDER_MAX) return scores.toSorted()[scores.length - n] ?? 0;
  const best = new Float64Array(n).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (score <= (best[0] as number)) continue;
    let at = 1;
    for (; at < n && (best[at] as number) < score; at++) best[at - 1] = best[at] as number;
    best[at - 1] = score;
  }
  return best[0] ?? 0;
}
