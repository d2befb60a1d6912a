/** How many of the best are compared. */
export const BEST = 10;
/** Scores this close are equal: of one engine's sums in another order. */
const TIE = 1e-6;

/** What was found, best first. */
export type Ranking = readonly (readonly [passageId: string, score: number])[];

/**
 * The share of each ranking's best that the other has among its own, from 0 to 1. Whatever ties with the other's last counts as
 * among them: engines break ties differently. Two empty ones agree.
 */
export function overlap(a: Ranking, b: Ranking): number {
  return (held(a, b) + held(b, a)) / 2;
}

/** The same passages in the same order, but for equals. */
export function isIdentical(a: Ranking, b: Ranking): boolean {
  return isPlacedAs(a, b) && isPlacedAs(b, a);
}

/** The first `limit`, and whatever ties with the last of them. */
export function withTies<T extends { readonly score: number }>(leg: readonly T[], limit: number): T[] {
  const last = leg[limit - 1]?.score ?? Number.NEGATIVE_INFINITY;
  return leg.filter(({ score }, i) => i < limit || score >= last - TIE);
}

/** Whether a leg ends amid equals of one of its best, so that chance decides which of them are in it. */
export function endsAmidBest(leg: readonly { readonly score: number }[], limit: number): boolean {
  const [best, last] = [leg[BEST - 1]?.score, leg[limit - 1]?.score];
  return best !== undefined && last !== undefined && best - last <= TIE;
}

function held(a: Ranking, b: Ranking): number {
  const best = a.slice(0, BEST);
  if (best.length === 0) return b.length === 0 ? 1 : 0;
  const last = b[Math.min(BEST, b.length) - 1]?.[1] ?? Number.POSITIVE_INFINITY;
  const amongThem = new Set(b.filter(([, score]) => score >= last - TIE).map(([id]) => id));
  return best.filter(([id]) => amongThem.has(id)).length / best.length;
}

/** Whether each of the best of the one scores in the other what stands there in its place. */
function isPlacedAs(a: Ranking, b: Ranking): boolean {
  const scores = new Map(b);
  return a.slice(0, BEST).every(([id], place) => {
    const [own, placed] = [scores.get(id), b[place]?.[1]];
    return own !== undefined && placed !== undefined && Math.abs(own - placed) <= TIE;
  });
}
