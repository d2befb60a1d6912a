import {
  type Candidate,
  COMMON,
  type Posting,
  type Ranking,
  type Scannable,
  ScannedRanking,
  type Terms,
} from "./milvus-ranking.ts";
import { countOf, scannedBytes } from "./milvus-scanned.ts";
import { saturated } from "./milvus-terms.ts";

/** Of 100,000 passages of a usual length, with and without a filter. Words that several hold are counted with each. */
const BYTES_MAX = 384_000_000;
const CANDIDATE_BYTES = 300;
const POSTING_BYTES = 8;
const SHELF_BYTES = 3000;

/** Those of a shelf's candidates that hold a word, as far as they were looked through. */
interface Looked {
  readonly posting: Posting;
  /** The next candidate to look at. */
  readonly next: number;
}

/** Passages of words, by hash; null: more than are read, so that those count that are known, whatever they were read for. */
export type ReadPostings = ReadonlyMap<number, Posting | null>;

/** What was read under one filter, as long as a collection is of one version. */
export class Shelf {
  readonly version: string | null;
  /** Words are weighed by it: see `saturated`. */
  readonly averageLength: number;
  readonly postings = new Map<number, Posting | null>();
  readonly candidates: Candidate[] = [];
  readonly #numbers = new Map<string, number>();
  /** By hash: words whose postings nobody has read, because others decided; or not all of it. */
  readonly #looked = new Map<number, Looked>();
  /** In memory, about. */
  bytes = SHELF_BYTES;

  constructor(version: string | null, averageLength: number) {
    this.version = version;
    this.averageLength = averageLength;
  }

  /** Of these words, in passages that hold at least one of them. They are not kept. */
  postingsOf(hashes: readonly number[], passages: Iterable<Candidate>): Map<number, Posting> {
    const numbers = Array.from(passages, (passage) => this.#numberOf(passage)).sort((a, b) => a - b);
    return new Map(hashes.map((hash) => [hash, this.#among(hash, numbers)]));
  }

  keep(postings: ReadPostings): void {
    for (const [hash, posting] of postings) {
      if (this.postings.has(hash)) continue;
      this.postings.set(hash, posting);
      this.bytes += CANDIDATE_BYTES;
      if (posting === null) continue;
      this.bytes += bytesOf(posting) - bytesOf(this.#looked.get(hash)?.posting ?? NOBODY);
      this.#looked.delete(hash);
    }
  }

  /** `read`: beside what is kept. Undefined: not read. */
  postingOf(hash: number, read: ReadPostings): Posting | undefined {
    const kept = this.postings.get(hash);
    const posting = kept === undefined ? read.get(hash) : kept;
    return posting === null ? this.lookFor(hash) : posting;
  }

  /** Of a word that nobody has read: those of the candidates that hold it. */
  lookFor(hash: number): Posting {
    const { posting, next } = this.#looked.get(hash) ?? { posting: NOBODY, next: 0 };
    const size = this.candidates.length;
    if (next === size) return posting;
    const all = joined(posting, this.#among(hash, numbersFrom(next, size)));
    this.#looked.set(hash, { posting: all, next: size });
    this.bytes += bytesOf(all) - bytesOf(posting);
    return all;
  }

  /** `numbers`: ascending. */
  #among(hash: number, numbers: Iterable<number>): Posting {
    const candidates: number[] = [];
    const shares: number[] = [];
    for (const number of numbers) {
      const { words } = this.candidates[number] as Candidate;
      const count = countOf(words, hash);
      if (count === null) continue;
      candidates.push(number);
      shares.push(saturated(count, words.length, this.averageLength));
    }
    return postingFrom(Int32Array.from(candidates), Float32Array.from(shares));
  }

  #numberOf(passage: Candidate): number {
    const known = this.#numbers.get(passage.id);
    if (known !== undefined) return known;
    const number = this.candidates.push(passage) - 1;
    this.#numbers.set(passage.id, number);
    this.bytes += CANDIDATE_BYTES + scannedBytes(passage.words);
    return number;
  }
}

function bytesOf({ candidates, byCandidate }: Posting): number {
  return POSTING_BYTES * candidates.length + (byCandidate?.byteLength ?? 0);
}

function* numbersFrom(first: number, end: number): Generator<number> {
  for (let number = first; number < end; number++) yield number;
}

const NOBODY = postingFrom(new Int32Array(0), new Float32Array(0));

function postingFrom(candidates: Int32Array, shares: Float32Array): Posting {
  let shareMax = 0;
  for (let i = 0; i < shares.length; i++) shareMax = Math.max(shareMax, shares[i] as number);
  const size = (candidates.at(-1) ?? -1) + 1;
  const byCandidate = candidates.length * COMMON >= size && size > COMMON ? new Float32Array(size) : null;
  if (byCandidate) for (let i = 0; i < shares.length; i++) byCandidate[candidates[i] as number] = shares[i] as number;
  return { candidates, shares, shareMax, byCandidate };
}

function joined(before: Posting, after: Posting): Posting {
  const size = before.candidates.length;
  const candidates = new Int32Array(size + after.candidates.length);
  const shares = new Float32Array(candidates.length);
  candidates.set(before.candidates);
  candidates.set(after.candidates, size);
  shares.set(before.shares);
  shares.set(after.shares, size);
  return postingFrom(candidates, shares);
}

/** Postings that were read from a server without sparse vectors, of the filters asked for last. */
export class MilvusPostings {
  readonly #shelves = new Map<string, Shelf>();
  readonly #ranking = new ScannedRanking();
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

  keep(shelf: Shelf, postings: ReadPostings): void {
    shelf.keep(postings);
    this.#limit();
  }

  /** As `ScannedRanking.rank`. `read`: postings beside those that the shelf keeps. */
  rank(shelf: Shelf, read: ReadPostings, terms: Terms, limit: number): Ranking {
    const before = shelf.bytes;
    const known: Scannable = {
      candidates: shelf.candidates,
      averageLength: shelf.averageLength,
      postingOf: (hash) => shelf.postingOf(hash, read),
      lookFor: (hash) => shelf.lookFor(hash),
    };
    const ranking = this.#ranking.rank(known, terms, limit);
    if (shelf.bytes > before) this.#limit();
    return ranking;
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
