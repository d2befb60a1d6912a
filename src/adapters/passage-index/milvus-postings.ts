import { countOf, type ScannedPassage, scannedBytes, termScore } from "./milvus-scanned.ts";
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

const BYTES_MAX = 32_000_000;
const CANDIDATE_BYTES = 300;
const POSTING_BYTES = 12;
const SHELF_BYTES = 3000;

/** What was read under one filter, as long as a collection is of one version. */
export class Shelf {
  readonly version: string | null;
  /** Words are weighed by it: see `saturated`. */
  readonly averageLength: number;
  /** By hash. */
  readonly postings = new Map<number, Posting>();
  readonly #candidates: Candidate[] = [];
  readonly #numbers = new Map<string, number>();
  #scores = new Float64Array(0);
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
    const scoreOf = (candidate: number) => scores[candidate] as number;
    let found: number[] = [];
    const unknown: Terms[number][] = [];
    for (const term of terms) {
      const [hash, weight] = term;
      const posting = postingOf(hash);
      if (posting) addPosting(posting, weight, scores, found);
      else unknown.push(term);
    }
    // What is left can lift a passage by its weight at most: of each word fewer passages need to be looked at.
    let rest = unknown.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [hash, weight] of unknown) {
      const least = nthBest(found, scoreOf, limit) - rest - TOLERANCE;
      found = found.filter((candidate) => scoreOf(candidate) >= least);
      for (const candidate of found) {
        const { words } = this.#candidates[candidate] as Candidate;
        scores[candidate] = scoreOf(candidate) + termScore(words, hash, weight, this.averageLength);
      }
      rest -= weight;
    }
    const worst = nthBest(found, scoreOf, limit) - TOLERANCE;
    return found.flatMap((candidate) => {
      const score = scoreOf(candidate);
      return score > 0 && score >= worst ? [{ ...(this.#candidates[candidate] as Candidate), score }] : [];
    });
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
    if (this.#scores.length < this.#candidates.length) this.#scores = new Float64Array(2 * this.#candidates.length);
    return this.#scores.fill(0, 0, this.#candidates.length);
  }
}

/** Postings that were read from a server without sparse vectors, of the filters asked for last. */
export class MilvusPostings {
  readonly #shelves = new Map<string, Shelf>();

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

  #limit(): void {
    let bytes = 0;
    for (const one of this.#shelves.values()) bytes += one.bytes;
    for (const [filter, oldest] of this.#shelves) {
      if (bytes <= BYTES_MAX) return;
      this.#shelves.delete(filter);
      bytes -= oldest.bytes;
    }
  }
}

function addPosting({ candidates, shares }: Posting, weight: number, scores: Float64Array, found: number[]): void {
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as number;
    const score = scores[candidate] as number;
    if (score === 0) found.push(candidate);
    scores[candidate] = score + weight * (shares[i] as number);
  }
}
/** Scores that differ by less may be told to be equal. */
const TOLERANCE = 1e-6;
/** So few are kept in order as they come. */
const KEPT_IN_ORDER_MAX = 128;

/** The score of the n-th best; of fewer, less than any. */
export function nthBest<T>(all: readonly T[], scoreOf: (one: T) => number, n: number): number {
  if (all.length < n) return Number.NEGATIVE_INFINITY;
  if (n > KEPT_IN_ORDER_MAX) return Float64Array.from(all, scoreOf).sort()[all.length - n] ?? 0;
  const best = new Float64Array(n).fill(Number.NEGATIVE_INFINITY);
  for (const one of all) {
    const score = scoreOf(one);
    if (score <= (best[0] as number)) continue;
    let at = 1;
    for (; at < n && (best[at] as number) < score; at++) best[at - 1] = best[at] as number;
    best[at - 1] = score;
  }
  return best[0] ?? 0;
}
