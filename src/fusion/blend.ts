/** A leg's hits, best first, as pairs of what was found and its score. */
export type Leg<T> = readonly (readonly [found: T, score: number])[];

/**
 * The text leg in shares of its best score, above what is left out: 0 is the last hit of a full leg, as whatever it left out
 * scores about as much; else a passage without any word of the query. So hits that score about the same count little: words that
 * many passages hold tell none of them, and the vectors' say grows. One hit far above the rest counts nearly 1. (BM25 has a true
 * zero, so shares of it mean something; cosines have none.)
 */
export function scaledText<T>(leg: Leg<T>, limit: number): Leg<T> {
  return scaledBy(leg, textScale(leg[0]?.[1] ?? 0, leg.at(-1)?.[1] ?? 0, leg.length < limit));
}

/** The vector leg scaled to 0 to 1; 0 is its last hit. */
export function scaledVector<T>(leg: Leg<T>): Leg<T> {
  return scaledBy(leg, vectorScale(leg[0]?.[1] ?? 0, leg.at(-1)?.[1] ?? 0));
}

function scaledBy<T>(leg: Leg<T>, scale: Scale): Leg<T> {
  return leg.map(([found, score]) => [found, scaled(score, scale)]);
}

/** A leg's scores become (score − floor) / range; `otherwise`, where there is no range. */
export interface Scale {
  readonly floor: number;
  readonly range: number;
  readonly otherwise: number;
}

/** See `scaledText`. */
export function textScale(best: number, last: number, isShort: boolean): Scale {
  return { floor: isShort ? 0 : last, range: best, otherwise: 0 };
}

/** See `scaledVector`. */
export function vectorScale(best: number, last: number): Scale {
  return { floor: last, range: best - last, otherwise: 1 };
}

export function scaled(score: number, { floor, range, otherwise }: Scale): number {
  return range > 0 ? (score - floor) / range : otherwise;
}

/** Both legs, scaled, in one: score = (1 − w) · text + w · vector, best first. Equal scores: text hits first, in leg order. */
export function blend<T>(byText: Leg<T>, byVector: Leg<T>, vectorWeight: number): [found: T, score: number][] {
  const scores = new Map<T, number>();
  for (const [found, score] of byText) scores.set(found, (1 - vectorWeight) * score);
  for (const [found, score] of byVector) scores.set(found, (scores.get(found) ?? 0) + vectorWeight * score);
  return [...scores].sort((a, b) => b[1] - a[1]);
}

/** The share of the wanted tokens that are held: 0 to 1; 0 where none is wanted. */
export function coverage(wanted: ReadonlySet<string>, held: ReadonlySet<string>): number {
  if (wanted.size === 0) return 0;
  let found = 0;
  for (const token of wanted) if (held.has(token)) found++;
  return found / wanted.size;
}
