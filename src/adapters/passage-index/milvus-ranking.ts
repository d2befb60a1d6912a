import type { Place } from "./milvus-messages.ts";
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
  /** Numbers of candidates, ascending. */
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
  readonly best: readonly Place[];
  /** Terms whose passages are not read and may be among the best, heaviest first. */
  readonly unread: readonly number[];
}

/** Scores that differ by less may be told to be equal. */
const TOLERANCE = 1e-6;
/** So few passages that can still get in are looked at without finding out whether the last of the best has risen. */
const KEPT_FEW = 64;
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
 * in; the rest is then added to those alone that were seen and can, fewer with each term.
 */
export class ScannedRanking {
  /** By candidate; all zeros between rankings. */
  #scores = new Float64Array(1024);
  /** A bit for each candidate that has a score: what is read in their order is near the last in memory. */
  #marks = new Int32Array(32);
  /** Candidates that can still get in, ascending. */
  #kept = new Int32Array(1024);
  /** Of the same places: their scores. */
  #reached = new Float64Array(1024);

  rank(known: Scannable, terms: Terms, limit: number): Ranking {
    this.#reserve(known.candidates.length);
    const postings = terms.map(([hash]) => known.postingOf(hash));
    const { rests } = restOf(terms, postings);
    const skipped: number[] = [];
    let [next, touched, skippedRest, floor] = [0, 0, 0, Number.NEGATIVE_INFINITY];
    // The last of the best has no more than this.
    let highest = 0;
    let isClosed = false;
    for (; next < terms.length; next++) {
      const posting = postings[next];
      const rest = skippedRest + (rests[next] as number);
      if (touched >= limit && rest < highest && (!posting || posting.candidates.length > touched)) {
        highest = floor = nthBest(this.#reached, limit, this.#gather(known.candidates.length));
        isClosed = rest < floor - TOLERANCE;
        if (isClosed) break;
      }
      const weight = (terms[next] as Terms[number])[1];
      if (posting) {
        touched = this.#add(posting, weight, touched);
        highest += weight * posting.shareMax;
      } else {
        skipped.push(next);
        skippedRest += weight;
      }
    }
    if (!isClosed) this.#gather(known.candidates.length);
    const left = [...skipped, ...terms.keys().drop(next)];
    const rest = restOf(
      left.map((i) => terms[i] as Terms[number]),
      left.map((i) => postings[i]),
    );
    const size = this.#narrow(known, rest, touched, floor, limit);
    const last = nthBest(this.#reached, limit, size);
    const best: Place[] = [];
    for (let i = 0; i < size; i++) {
      const score = this.#reached[i] as number;
      if (score < last - TOLERANCE) continue;
      const { id, document } = known.candidates[this.#kept[i] as number] as Candidate;
      best.push({ id, document, score });
    }
    this.#clear(known.candidates.length);
    const isExact = isClosed || left.length === 0 || (rest.rests[0] ?? 0) < last - TOLERANCE;
    return { best, unread: isExact ? [] : rest.terms.map(([hash]) => hash) };
  }

  /** Returns how many candidates have a score now. */
  #add({ candidates, shares }: Posting, weight: number, before: number): number {
    const [scores, marks] = [this.#scores, this.#marks];
    let touched = before;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i] as number;
      const score = scores[candidate] as number;
      scores[candidate] = score + weight * (shares[i] as number);
      if (score !== 0) continue;
      touched++;
      marks[candidate >> 5] = (marks[candidate >> 5] as number) | (1 << (candidate & 31));
    }
    return touched;
  }

  /** Keeps all that have a score. Returns how many. */
  #gather(candidates: number): number {
    const [scores, marks, kept, reached] = [this.#scores, this.#marks, this.#kept, this.#reached];
    let size = 0;
    for (let from = 0; from < candidates; from += 32) {
      for (let bits = marks[from >> 5] as number; bits !== 0; bits &= bits - 1) {
        const candidate = from + 31 - Math.clz32(bits & -bits);
        kept[size] = candidate;
        reached[size++] = scores[candidate] as number;
      }
    }
    return size;
  }

  #clear(candidates: number): void {
    const [scores, marks] = [this.#scores, this.#marks];
    for (let from = 0; from < candidates; from += 32) {
      for (let bits = marks[from >> 5] as number; bits !== 0; bits &= bits - 1) {
        scores[from + 31 - Math.clz32(bits & -bits)] = 0;
      }
      marks[from >> 5] = 0;
    }
  }

  /** Adds the rest to the kept that can get in with it. Returns how many are kept then. */
  #narrow(known: Scannable, { terms, postings, rests }: Rest, gathered: number, least: number, limit: number): number {
    const [kept, reached] = [this.#kept, this.#reached];
    let floor = least;
    let size = keepAbove(kept, reached, gathered, floor - (rests[0] as number) - TOLERANCE);
    for (const [i, [hash, weight]] of terms.entries()) {
      const isLooked = size > KEPT_FEW || weight < COMMON_WEIGHT;
      const posting = postings[i] ?? (isLooked ? known.lookFor(hash) : undefined);
      if (posting) addTo(kept, reached, size, posting, weight);
      else this.#look(known, size, hash, weight);
      if (size > KEPT_FEW) floor = Math.max(floor, nthBest(reached, limit, size));
      size = keepAbove(kept, reached, size, floor - (rests[i + 1] as number) - TOLERANCE);
    }
    return size;
  }

  /** Adds a word that is looked for in the kept themselves. */
  #look({ candidates, averageLength }: Scannable, size: number, hash: number, weight: number): void {
    for (let i = 0; i < size; i++) {
      const { words } = candidates[this.#kept[i] as number] as Candidate;
      const count = countOf(words, hash);
      if (count === null) continue;
      const share = Math.fround(saturated(count, words.length, averageLength));
      this.#reached[i] = (this.#reached[i] as number) + weight * share;
    }
  }

  #reserve(size: number): void {
    if (size <= this.#scores.length) return;
    // Whole words of marks.
    const room = 64 * Math.ceil(size / 32);
    this.#scores = new Float64Array(room);
    this.#marks = new Int32Array(room / 32);
    this.#kept = new Int32Array(room);
    this.#reached = new Float64Array(room);
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

/** Adds a word to the scores of these candidates, which ascend. */
function addTo(
  kept: Int32Array,
  scores: Float64Array,
  size: number,
  { candidates, shares, byCandidate }: Posting,
  weight: number,
): void {
  let at = 0;
  for (let i = 0; i < size; i++) {
    const candidate = kept[i] as number;
    if (byCandidate) {
      if (candidate >= byCandidate.length) return;
      scores[i] = (scores[i] as number) + weight * (byCandidate[candidate] as number);
      continue;
    }
    at = firstFrom(candidates, candidate, at);
    if (candidates[at] === candidate) scores[i] = (scores[i] as number) + weight * (shares[at] as number);
  }
}

/** The place of the first that is not smaller, which is probably near. */
function firstFrom(sorted: Int32Array, value: number, from: number): number {
  let step = 1;
  let low = from;
  while (low + step < sorted.length && (sorted[low + step] as number) < value) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, sorted.length);
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
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

/** The n-th best of the first `size`; of fewer, less than any. */
export function nthBest(scores: Float64Array, n: number, size = scores.length): number {
  if (size < n) return Number.NEGATIVE_INFINITY;
  if (n > KEPT_IN_ORDER_MAX) return scores.slice(0, size).sort()[size - n] ?? 0;
  const best = new Array<number>(n).fill(Number.NEGATIVE_INFINITY);
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < size; i++) {
    const score = scores[i] as number;
    if (score <= last) continue;
    let at = 1;
    for (; at < n && (best[at] as number) < score; at++) best[at - 1] = best[at] as number;
    best[at - 1] = score;
    last = best[0] as number;
  }
  return last;
}
