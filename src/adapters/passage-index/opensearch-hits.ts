import type { ScoredPassage } from "../../types.ts";
import type { KnownPassage, RecordPlace } from "./opensearch-passages.ts";

export interface LegHit extends RecordPlace {
  readonly _score: number;
}

/** `score`: of a leg's hit, from the engine's. */
export function scored(
  hits: readonly LegHit[],
  passages: ReadonlyMap<string, KnownPassage>,
  score: (engines: number) => number,
): ScoredPassage[] {
  const found: ScoredPassage[] = [];
  for (const { _id, _score } of hits) {
    const known = passages.get(_id);
    if (known) found.push({ passage: known.passage, score: score(_score) });
  }
  return found;
}

export function textScore(engines: number): number {
  return engines;
}

/** The engine's is (1 + cosine) / 2. */
export function cosine(engines: number): number {
  return 2 * engines - 1;
}
