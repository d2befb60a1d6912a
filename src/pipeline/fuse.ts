import type { SearchResult } from "../ports/passage-index.ts";
import { createWords, type Words } from "../text/words.ts";
import type { ScoredPassage } from "../types.ts";

/** What the vectors weigh, of 1, where the text leg knows no word of the query; measured flat from 0.5 to 0.8. */
const VECTOR_WEIGHT_MAX = 0.6;

/**
 * One list of the two legs, at most `limit` long: score = (1 − w) · text + w · vector, both scaled to 0 to 1 within their leg,
 * w = 0.6 · (1 − coverage), coverage being the share of the query's distinct tokens that the best text hit holds.
 *
 * A passage that holds every word of the query is best ranked by those words, and weak vectors only disturb the order. The fewer
 * of them it holds (other words, another language), the less the text leg knows, and the more the vectors decide. Needs nothing
 * of the engine but the hits, their order and that scores grow with relevance. Equal scores: text hits first, in leg order.
 */
export function fuse(
  result: SearchResult,
  query: string,
  limit: number,
  words: Words = createWords(),
): ScoredPassage[] {
  const { byText, byVector } = result;
  const vectorWeight = byVector.length === 0 ? 0 : VECTOR_WEIGHT_MAX * (1 - coverage(query, byText[0], words));
  const fused = new Map<string, ScoredPassage>();
  const add = (hits: readonly ScoredPassage[], weight: number, floor: number) => {
    const range = (hits[0]?.score ?? 0) - floor;
    for (const { passage, score } of hits) {
      const scaled = range > 0 ? (score - floor) / range : 1;
      fused.set(passage.id, { passage, score: (fused.get(passage.id)?.score ?? 0) + weight * scaled });
    }
  };
  add(byText, 1 - vectorWeight, textFloor(byText, limit));
  add(byVector, vectorWeight, byVector.at(-1)?.score ?? 0);
  return [...fused.values()].sort((a, b) => b.score - a.score).slice(0, limit);
}

/** Scaled to 0: the last hit of a full leg, as whatever it left out scores about as much; else 0, a passage without any word. */
function textFloor(hits: readonly ScoredPassage[], limit: number): number {
  return hits.length < limit ? 0 : (hits.at(-1)?.score ?? 0);
}

/** The share of the query's distinct tokens that the hit holds: 0 to 1; 0 without a hit. */
function coverage(query: string, hit: ScoredPassage | undefined, words: Words): number {
  const wanted = words.ofQuery(query);
  if (!hit || wanted.size === 0) return 0;
  const held = words.ofPassage(hit.passage);
  return [...wanted].filter((token) => held.has(token)).length / wanted.size;
}
