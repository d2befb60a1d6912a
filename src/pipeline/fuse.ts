import { blend, coverage, type Leg, scaledText, scaledVector } from "../fusion/blend.ts";
import { PRIOR, vectorWeight } from "../fusion/weights.ts";
import type { VectorWeights } from "../ports/fusion-store.ts";
import type { SearchResult } from "../ports/passage-index.ts";
import { createWords, type Words } from "../text/words.ts";
import type { ScoredPassage } from "../types.ts";

/**
 * One list of the two legs, at most `limit` long: score = (1 − w) · text + w · vector, text in shares of its best score (see
 * `scaledText`), vectors from 0 to 1 within their leg.
 * w lies between `weights.uncovered` and `weights.covered` by coverage, the share of the query's distinct tokens that the best
 * text hit holds: the fewer of them it holds (other words, another language), the less the text leg knows.
 *
 * Needs nothing of the engine but the hits, their order and that scores grow with relevance. Equal scores: text hits first, in
 * leg order.
 */
export function fuse(
  result: SearchResult,
  query: string,
  limit: number,
  weights: VectorWeights = PRIOR,
  words: Words = createWords(),
): ScoredPassage[] {
  const { byText, byVector } = result;
  const passages = new Map([...byVector, ...byText].map(({ passage }) => [passage.id, passage]));
  const [best] = byText;
  const covered = best ? coverage(words.ofQuery(query), words.ofPassage(best.passage)) : 0;
  const weight = byVector.length === 0 ? 0 : vectorWeight(weights, covered);
  return blend(scaledText(pairs(byText), limit), scaledVector(pairs(byVector)), weight)
    .slice(0, limit)
    .flatMap(([id, score]) => {
      const passage = passages.get(id);
      return passage ? [{ passage, score }] : [];
    });
}

function pairs(hits: readonly ScoredPassage[]): Leg<string> {
  return hits.map(({ passage, score }) => [passage.id, score]);
}
