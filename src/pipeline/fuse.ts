import { coverage, scaled, textScale, vectorScale } from "../fusion/blend.ts";
import { PRIOR, vectorWeight } from "../fusion/weights.ts";
import type { VectorWeights } from "../ports/fusion-store.ts";
import type { SearchResult } from "../ports/passage-index.ts";
import { createWords, type Words } from "../text/words.ts";
import type { Passage, ScoredPassage } from "../types.ts";

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
  const [best] = byText;
  const covered = best ? coverage(words.ofQuery(query), words.ofPassage(best.passage)) : 0;
  const weight = byVector.length === 0 ? 0 : vectorWeight(weights, covered);
  const ofText = textScale(best?.score ?? 0, byText.at(-1)?.score ?? 0, byText.length < limit);
  const ofVector = vectorScale(byVector[0]?.score ?? 0, byVector.at(-1)?.score ?? 0);
  // The sum that `blend` makes, in one pass.
  const fused = new Map<string, { readonly passage: Passage; score: number }>();
  for (const { passage, score } of byText)
    fused.set(passage.id, { passage, score: (1 - weight) * scaled(score, ofText) });
  for (const { passage, score } of byVector) {
    const share = weight * scaled(score, ofVector);
    const known = fused.get(passage.id);
    if (known) known.score += share;
    else fused.set(passage.id, { passage, score: share });
  }
  return [...fused.values()].sort((a, b) => b.score - a.score).slice(0, limit);
}
