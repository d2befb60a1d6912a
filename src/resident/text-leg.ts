import { firstAtLeast, HEADING_COUNT_BITS, HEADING_COUNT_MAX } from "./postings.ts";
import type { ScanPart, ScanPlan } from "./scan.ts";
import { type RowHit, Top } from "./top.ts";

/** BM25's saturation and length normalisation, and how often a word of the title or a heading counts. */
export const K1 = 0.9;
export const B = 0.6;
export const HEADING_WEIGHT = 2;
/** Postings still to be read. */
const LEFT_MIN = 16_384;
/** Passages that can still get in of which it does not pay to find out whether the last of the best has risen. */
const KEPT_FEW = 64;

/**
 * The text leg: BM25F (Robertson et al., 2004) over two fields, with Lucene's inverse document frequency,
 * score = Σ ln(1 + (N − n + ½) / (n + ½)) · f / (f + k1), f = w · headings + text / (1 − b + b · length / averageLength),
 * summed over the query's tokens (a repeated one counts again). A word in the title or a heading counts w times and however
 * long the text below is; lengths are the text's. Without title and headings it is BM25. N, n and averageLength cover every
 * live passage of the partition that the asker's groups may read, exactly, also after removals, whatever the filter.
 *
 * Terms are taken heaviest, that is rarest, first. A term adds at most its weight: as soon as the weights still to come are
 * together below what the last of the best has, no passage unseen so far can get in, and the long lists of the common terms
 * are only looked into for the passages that still can, fewer with each term (the MaxScore rule, term at a time).
 */
export class TextLeg {
  /** By position in the segment; all zeros between searches. */
  #scores = new Float64Array(1024);
  /** Positions with a score, in the order of their first term. */
  #touched = new Uint32Array(1024);
  /** Positions that can still get in, ascending. */
  #kept = new Uint32Array(1024);

  search({ parts, weights, averageLength, limit }: ScanPlan): RowHit[] {
    const top = new Top(limit);
    if (weights.length === 0) return [];
    const rests = restsOf(weights);
    const perLength = B / averageLength;
    for (const part of parts) this.#searchPart(part, weights, rests, perLength, top);
    return top.hits();
  }

  #searchPart(part: ScanPart, weights: Float64Array, rests: Float64Array, perLength: number, top: Top): void {
    const { arrays, places, allowed } = part;
    this.#reserve(arrays.rows.length);
    let touched = 0;
    let next = 0;
    let floor = Number.NEGATIVE_INFINITY;
    for (; next < weights.length; next++) {
      if (touched > 0 && isWorthLooking(part, next, touched)) {
        floor = Math.max(top.floor, this.#floorOf(part, this.#touched.subarray(0, touched), top.limit));
        if ((rests[next] as number) < floor) break;
      }
      const place = places[next] as number;
      if (place >= 0) touched = this.#add(part, place, weights[next] as number, perLength, touched);
    }
    let positions: Uint32Array = this.#touched.subarray(0, touched);
    if (next < weights.length) positions = this.#keep(allowed, touched, floor - (rests[next] as number));
    for (; next < weights.length; next++) {
      if (positions.length > KEPT_FEW) floor = Math.max(floor, this.#floorOf(part, positions, top.limit));
      positions = this.#narrow(positions, floor - (rests[next] as number));
      this.#addTo(positions, part, next, weights[next] as number, perLength);
    }
    this.#offer(positions, part, top);
    for (let i = 0; i < touched; i++) this.#scores[this.#touched[i] as number] = 0;
  }

  /** Adds a term to every passage that holds it. Returns how many passages have a score now. */
  #add({ arrays }: ScanPart, place: number, weight: number, perLength: number, touchedBefore: number): number {
    const { postings, lengths } = arrays;
    const { passages, counts } = postings;
    const scores = this.#scores;
    const list = this.#touched;
    const to = postings.ends[place] as number;
    let touched = touchedBefore;
    for (let i = postings.starts[place] as number; i < to; i++) {
      const passage = passages[i] as number;
      const frequency = frequencyOf(counts[i] as number, perLength * (lengths[passage] as number));
      const before = scores[passage] as number;
      if (before === 0) list[touched++] = passage;
      scores[passage] = before + (weight * frequency) / (frequency + K1);
    }
    return touched;
  }

  /** Adds a term to some passages only, which are in ascending order. */
  #addTo(positions: Uint32Array, { arrays, places }: ScanPart, term: number, weight: number, perLength: number): void {
    const place = places[term] as number;
    if (place < 0) return;
    const { postings, lengths } = arrays;
    const to = postings.ends[place] as number;
    let at = postings.starts[place] as number;
    for (let i = 0; i < positions.length && at < to; i++) {
      const passage = positions[i] as number;
      at = firstFrom(postings.passages, passage, at, to);
      if (at === to || postings.passages[at] !== passage) continue;
      const frequency = frequencyOf(postings.counts[at] as number, perLength * (lengths[passage] as number));
      const score = (weight * frequency) / (frequency + K1);
      this.#scores[passage] = (this.#scores[passage] as number) + score;
    }
  }

  /** What the last of the best `limit` has by now; minus infinity while there are fewer. */
  #floorOf({ allowed }: ScanPart, positions: Uint32Array, limit: number): number {
    const best = new Top(limit);
    let floor = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < positions.length; i++) {
      const position = positions[i] as number;
      const score = this.#scores[position] as number;
      if (score <= floor || allowed?.[position] === 0) continue;
      best.offer(position, score);
      floor = best.floor;
    }
    return floor;
  }

  /** The passages that have at least so much, ascending. */
  #keep(allowed: Uint8Array | null, touched: number, least: number): Uint32Array {
    const kept = this.#kept;
    let size = 0;
    for (let i = 0; i < touched; i++) {
      const position = this.#touched[i] as number;
      if ((this.#scores[position] as number) >= least && allowed?.[position] !== 0) kept[size++] = position;
    }
    return kept.subarray(0, size).sort();
  }

  /** Of the kept passages those that have at least so much, in their place. */
  #narrow(kept: Uint32Array, least: number): Uint32Array {
    let size = 0;
    for (let i = 0; i < kept.length; i++) {
      const position = kept[i] as number;
      if ((this.#scores[position] as number) >= least) kept[size++] = position;
    }
    return kept.subarray(0, size);
  }

  #offer(positions: Uint32Array, { arrays: { rows }, allowed }: ScanPart, top: Top): void {
    let floor = top.floor;
    for (let i = 0; i < positions.length; i++) {
      const position = positions[i] as number;
      const score = this.#scores[position] as number;
      if (score < floor || allowed?.[position] === 0) continue;
      top.offer(rows[position] as number, score);
      floor = top.floor;
    }
  }

  #reserve(size: number): void {
    if (size <= this.#scores.length) return;
    this.#scores = new Float64Array(size);
    this.#touched = new Uint32Array(size);
    this.#kept = new Uint32Array(size);
  }
}

/** Of a term in a passage, weighed by field. `relativeLength`: b · length / averageLength. */
function frequencyOf(count: number, relativeLength: number): number {
  return HEADING_WEIGHT * (count & HEADING_COUNT_MAX) + (count >> HEADING_COUNT_BITS) / (1 - B + relativeLength);
}

/** For each term the weights from it on, summed up, and a little for rounding. */
function restsOf(weights: Float64Array): Float64Array {
  const rests = new Float64Array(weights.length);
  let rest = 0;
  for (let i = weights.length - 1; i >= 0; i--) {
    rest += (weights[i] as number) * (1 + 1e-9);
    rests[i] = rest;
  }
  return rests;
}

/**
 * Whether finding out what may be skipped, and looking up the rest, pays: below some 16,000 postings it costs more than reading
 * them (measured with 5,000 and 40,000 passages).
 */
function isWorthLooking({ arrays: { postings }, places }: ScanPart, from: number, touched: number): boolean {
  let left = 0;
  for (let i = from; i < places.length; i++) {
    const place = places[i] as number;
    if (place >= 0) left += (postings.ends[place] as number) - (postings.starts[place] as number);
  }
  return left > LEFT_MIN + 2 * touched;
}

/** As `firstAtLeast`, for a place that is probably near. */
function firstFrom(values: Uint16Array, value: number, from: number, to: number): number {
  let step = 1;
  let low = from;
  while (low + step < to && (values[low + step] as number) < value) {
    low += step;
    step *= 2;
  }
  return firstAtLeast(values, value, low, Math.min(low + step + 1, to));
}
