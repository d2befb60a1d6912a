import { countOf, type ScannedPassage } from "./milvus-scanned.ts";
import { saturated } from "./milvus-terms.ts";

/** A passage that holds a word. */
export interface Candidate {
  readonly id: string;
  readonly document: string;
  readonly words: ScannedPassage;
}

/** The passages that hold a word. */
export interface Posting {
  /** Numbers of candidates. */
  readonly candidates: Int32Array;
  /** What the word adds to each one's score, but for its weight: see `saturated`. */
  readonly shares: Float32Array;
  /** The largest share. */
  readonly shareMax: number;
  /** Of a common word: its share by candidate, 0 where there is none; shorter than there are candidates where the last ones hold none. */
  readonly byCandidate: Float32Array | null;
}

/** Heaviest first. */
export type Terms = readonly (readonly [hash: number, weight: number])[];

/** What is known of a collection's words. */
export interface Scannable {
  /** By number. */
  readonly candidates: readonly Candidate[];
  readonly averageLength: number;
  /** Undefined: not read. */
  postingOf(hash: number): Posting | undefined;
  /** Of a word that is not read: those of the candidates that hold it. */
  lookFor(hash: number): Posting;
}

export interface Ranking {
  /** The best by all the terms, in no order, and others that score as the last of them; of the passages that are known. */
  readonly best: readonly (Candidate & { readonly score: number })[];
  /** Terms whose passages are not read and may be among the best, heaviest first. */
  readonly unread: readonly number[];
}

/** Scores that differ by less may be told to be equal. */
const TOLERANCE = 1e-6;
/** So many passages that can still get in are looked at one by one. */
const KEPT_FEW = 64;
/** Postings that are added in the time in which one passage's words are looked through for one, or a common word is looked up. */
const POSTINGS_A_LOOK = 32;
const POSTINGS_A_LOOK_UP = 2;
/** A word is common if one of so many passages holds it. */
export const COMMON = 8;
/** One that weighs less is common: ln(1 + (N − n + 0.5) / (n + 0.5)) for n = N / 8. */
const COMMON_WEIGHT = Math.log(COMMON);

/** A question's terms, and what those from one on may add. */
interface Rest {
  readonly terms: Terms;
  readonly postings: readonly (Posting | undefined)[];
  readonly rests: readonly number[];
}

/**
 * BM25F's sum over a question's terms, heaviest, that is rarest, first (the MaxScore rule, term at a time; see `TextLeg` of the
 * resident index). As soon as what the terms to come can add is less than the last of the best has, no passage unseen so far can get
 * in; common terms are then added only as long as many passages that were seen can, and looked for in the words of the few others.
 */
export class ScannedRanking {
  /** By candidate; all zeros between rankings. */
  #scores = new Float64Array(1024);
  /** Candidates with a score. */
  #touched = new Int32Array(1024);
  /** Those that can still get in. */
  #kept = new Int32Array(1024);
  /** Scores of the touched, or the kept. */
  #reached = new Float64Array(1024);

  rank(known: Scannable, terms: Terms, limit: number): Ranking {
    this.#reserve(known.candidates.length);
    const postings = terms.map(([hash]) => known.postingOf(hash));
    const { rests } = restOf(terms, postings);
    const skipped: number[] = [];
    let [next, touched, skippedRest, floor] = [0, 0, 0, Number.NEGATIVE_INFINITY];
    let isClosed = false;
    for (; next < terms.length; next++) {
      const posting = postings[next];
      if (touched >= limit && (!posting || posting.candidates.length > touched / 2)) {
        this.#readScores(this.#touched, touched);
        floor = Math.max(floor, nthBest(this.#reached.subarray(0, touched), limit));
        isClosed = skippedRest + (rests[next] as number) < floor - TOLERANCE;
        if (isClosed) break;
      }
      const weight = (terms[next] as Terms[number])[1];
      if (posting) touched = this.#add(posting, weight, touched);
      else {
        skipped.push(next);
        skippedRest += weight;
      }
    }
    const left = [...skipped, ...terms.keys().drop(next)];
    const rest = restOf(
      left.map((i) => terms[i] as Terms[number]),
      left.map((i) => postings[i]),
    );
    const size = this.#narrow(known, rest, touched, floor, limit);
    const last = nthBest(this.#reached.subarray(0, size), limit);
    const best: (Candidate & { readonly score: number })[] = [];
    for (let i = 0; i < size; i++) {
      const score = this.#reached[i] as number;
      if (score < last - TOLERANCE) continue;
      best.push({ ...(known.candidates[this.#kept[i] as number] as Candidate), score });
    }
    for (let i = 0; i < touched; i++) this.#scores[this.#touched[i] as number] = 0;
    const isExact = isClosed || left.length === 0 || (rest.rests[0] ?? 0) < last - TOLERANCE;
    return { best, unread: isExact ? [] : rest.terms.map(([hash]) => hash) };
  }

  /** Returns how many candidates have a score now. */
  #add({ candidates, shares }: Posting, weight: number, before: number): number {
    const scores = this.#scores;
    const list = this.#touched;
    let touched = before;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i] as number;
      const score = scores[candidate] as number;
      if (score === 0) list[touched++] = candidate;
      scores[candidate] = score + weight * (shares[i] as number);
    }
    return touched;
  }

  #addToTouched({ candidates, shares }: Posting, weight: number): void {
    const scores = this.#scores;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i] as number;
      const score = scores[candidate] as number;
      if (score !== 0) scores[candidate] = score + weight * (shares[i] as number);
    }
  }

  /** Adds the rest to the touched that can get in with it. Returns how many of the kept these are. */
  #narrow(known: Scannable, { terms, postings, rests }: Rest, touched: number, least: number, limit: number): number {
    const [kept, reached] = [this.#kept, this.#reached];
    kept.set(this.#touched.subarray(0, touched));
    this.#readScores(kept, touched);
    let floor = least;
    let size = touched;
    let next = 0;
    for (; next < terms.length; next++) {
      size = keepAbove(kept, reached, size, floor - (rests[next] as number) - TOLERANCE);
      if (size <= KEPT_FEW) break;
      const [hash, weight] = terms[next] as Terms[number];
      const posting = postings[next] ?? known.lookFor(hash);
      const look = posting.byCandidate ? POSTINGS_A_LOOK_UP : POSTINGS_A_LOOK;
      if (posting.candidates.length < size * look) this.#addToTouched(posting, weight);
      else for (let i = 0; i < size; i++) this.#look(known, kept[i] as number, hash, weight, posting);
      this.#readScores(kept, size);
      floor = Math.max(floor, nthBest(reached.subarray(0, size), limit));
    }
    for (let j = next; j < terms.length; j++) {
      const [hash, weight] = terms[j] as Terms[number];
      const posting = postings[j] ?? (weight < COMMON_WEIGHT ? known.lookFor(hash) : undefined);
      const least = floor - (rests[j] as number) - TOLERANCE;
      for (let i = 0; i < size; i++) {
        const candidate = kept[i] as number;
        if ((this.#scores[candidate] as number) >= least) this.#look(known, candidate, hash, weight, posting);
      }
    }
    this.#readScores(kept, size);
    return size;
  }

  #look(
    { candidates, averageLength }: Scannable,
    candidate: number,
    hash: number,
    weight: number,
    posting: Posting | undefined,
  ): void {
    const before = this.#scores[candidate] as number;
    if (posting?.byCandidate) {
      const { byCandidate } = posting;
      if (candidate < byCandidate.length)
        this.#scores[candidate] = before + weight * (byCandidate[candidate] as number);
      return;
    }
    const { words } = candidates[candidate] as Candidate;
    const count = countOf(words, hash);
    if (count === null) return;
    this.#scores[candidate] = before + weight * Math.fround(saturated(count, words.length, averageLength));
  }

  #readScores(candidates: Int32Array, size: number): void {
    const [scores, reached] = [this.#scores, this.#reached];
    for (let i = 0; i < size; i++) reached[i] = scores[candidates[i] as number] as number;
  }

  #reserve(size: number): void {
    if (size <= this.#scores.length) return;
    this.#scores = new Float64Array(2 * size);
    this.#touched = new Int32Array(2 * size);
    this.#kept = new Int32Array(2 * size);
    this.#reached = new Float64Array(2 * size);
  }
}

/** Keeps of the first `size` those that have at least so much, in their place. Returns how many. */
function keepAbove(kept: Int32Array, scores: Float64Array, size: number, least: number): number {
  let left = 0;
  for (let i = 0; i < size; i++) {
    const score = scores[i] as number;
    if (score < least) continue;
    kept[left] = kept[i] as number;
    scores[left++] = score;
  }
  return left;
}

/** `rests[i]`: what the terms from there on can add, at most; one more for none. */
function restOf(terms: Terms, postings: readonly (Posting | undefined)[]): Rest {
  const rests = new Array<number>(terms.length + 1).fill(0);
  for (let i = terms.length - 1; i >= 0; i--) {
    rests[i] = (rests[i + 1] as number) + (terms[i] as Terms[number])[1] * (postings[i]?.shareMax ?? 1);
  }
  return { terms, postings, rests };
}

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
