import type { ScoredPassage } from "../types.ts";

/** How many of the best are compared. */
export const BEST = 10;
/** Scores this close are equal: of one engine's sums in another order. */
const TIE = 1e-6;

/**
 * The share of each list's best that the other has among its own, from 0 to 1. Whatever ties with the other's last counts as among
 * them: engines break ties differently. Two empty lists agree.
 */
export function overlap(a: readonly ScoredPassage[], b: readonly ScoredPassage[]): number {
  return (held(a, b) + held(b, a)) / 2;
}

/** The same passages in the same order. */
export function isIdentical(a: readonly ScoredPassage[], b: readonly ScoredPassage[]): boolean {
  const ids = (list: readonly ScoredPassage[]) => JSON.stringify(list.slice(0, BEST).map(({ passage }) => passage.id));
  return ids(a) === ids(b);
}

function held(a: readonly ScoredPassage[], b: readonly ScoredPassage[]): number {
  const best = a.slice(0, BEST);
  if (best.length === 0) return b.length === 0 ? 1 : 0;
  const last = b[Math.min(BEST, b.length) - 1]?.score ?? Number.POSITIVE_INFINITY;
  const amongThem = new Set(b.filter(({ score }) => score >= last - TIE).map(({ passage }) => passage.id));
  return best.filter(({ passage }) => amongThem.has(passage.id)).length / best.length;
}
