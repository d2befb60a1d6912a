import { HEADING_COUNT_BITS, HEADING_COUNT_MAX } from "../../resident/postings.ts";
import { B, HEADING_WEIGHT, K1 } from "../../resident/text-leg.ts";
import type { HashedTerms } from "./hashed-terms.ts";

/** What is counted over a tenant's collection, for the weights of a question's words. */
export interface TermStatistics {
  readonly passages: number;
  /** Search tokens of all passages together. */
  readonly tokens: number;
  /** By token's hash: how many passages hold it. */
  readonly frequencies: ReadonlyMap<number, number>;
}

/** A token's dimension in sparse vectors: its hash, without a sign and below the one value that is no dimension. */
export function dimensionOf(hash: number): number {
  return Math.min(hash >>> 0, 0xffff_fffe);
}

export function hashOfDimension(dimension: number): number {
  return dimension | 0;
}

/**
 * The sum Σ idf · f / (f + k1) of the resident index's text leg is an inner product: of what is in a passage, and what a
 * question's words weigh. `averageLength`: of the collection, as far as it is known when the passage is written.
 */
export function passageWeights(
  counts: HashedTerms["counts"],
  length: number,
  averageLength: number,
): Record<number, number> {
  const weights: Record<number, number> = {};
  for (const [hash, count] of counts) weights[dimensionOf(hash)] = saturated(count, length, averageLength);
  return weights;
}

/** f / (f + k1): see `resident/text-leg.ts`. `packed`: see `packedCount`. */
export function saturated(packed: number, length: number, averageLength: number): number {
  const inText = (packed >> HEADING_COUNT_BITS) / (1 - B + (B * length) / averageLength);
  const frequency = HEADING_WEIGHT * (packed & HEADING_COUNT_MAX) + inText;
  return frequency / (frequency + K1);
}

/** By hash, heaviest first: how often the question holds a token, times the token's inverse document frequency. */
export function questionWeights(
  tokens: ReadonlyMap<number, number>,
  { passages, frequencies }: TermStatistics,
): Map<number, number> {
  const weighed = [...tokens].map(([hash, count]) => {
    // What is not counted yet may be there.
    const frequency = Math.max(1, frequencies.get(hash) ?? 0);
    const among = Math.max(passages, frequency);
    return [hash, count * Math.log(1 + (among - frequency + 0.5) / (frequency + 0.5))] as const;
  });
  return new Map(weighed.sort(([, a], [, b]) => b - a));
}

export function averageLengthOf({ passages, tokens }: Pick<TermStatistics, "passages" | "tokens">): number {
  return passages <= 0 || tokens <= 0 ? 1 : tokens / passages;
}
