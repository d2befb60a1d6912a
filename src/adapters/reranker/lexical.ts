import type { Reranker, RerankScore } from "../../ports/reranker.ts";
import { bestFirst } from "../../statistics.ts";
import { memoizedStem, queryTokens, type Stem, searchTokens } from "../../text/tokens.ts";

/** Places in the order that the whole query standing close together is worth: what helps titles and headings most and costs long texts least. */
const PLACES_MAX = 3;

/** Words count as close together within twice as many tokens as the query has, and at least this many. */
const WINDOW_MIN = 10;

/**
 * Moves texts up in which the query's words stand close together. It knows words, not meanings: the order of search is the
 * prior, and a text rises by fewer than three places. Words that few of the texts hold weigh more, those in all of them next to
 * nothing; where no text holds any, the order stays. Deterministic; under a millisecond or so for 20 passages.
 */
export function createLexicalReranker(): Reranker {
  const stem = memoizedStem();
  return {
    model: "lexical",
    rerank: async (query, texts) => rerank(query, texts, stem),
  };
}

function rerank(query: string, texts: readonly string[], stem: Stem): RerankScore[] {
  const wanted = new Set(queryTokens(query, stem));
  const places = texts.map((text) => placesOf(text, wanted, stem));
  const weights = rarity(wanted, places);
  const width = Math.max(WINDOW_MIN, 2 * wanted.size);
  const highest = texts.length + PLACES_MAX;
  const scores = places.map(
    (found, index) => (texts.length - index + PLACES_MAX * proximity(found, weights, width)) / highest,
  );
  return bestFirst(scores);
}

/** Where a text holds a token of the query; ascending positions. */
type Place = readonly [position: number, token: string];

function placesOf(text: string, wanted: ReadonlySet<string>, stem: Stem): Place[] {
  return searchTokens(text, stem).flatMap((token, position): Place[] => (wanted.has(token) ? [[position, token]] : []));
}

/** Each token's share of the query, by its inverse document frequency (BM25's) among the texts. The shares sum to 1. */
function rarity(wanted: ReadonlySet<string>, texts: readonly (readonly Place[])[]): ReadonlyMap<string, number> {
  const frequencies = new Map<string, number>();
  for (const places of texts) {
    for (const token of new Set(places.map(([, token]) => token))) {
      frequencies.set(token, (frequencies.get(token) ?? 0) + 1);
    }
  }
  const weights = [...wanted].map((token) => {
    const frequency = frequencies.get(token) ?? 0;
    return [token, Math.log(1 + (texts.length - frequency + 0.5) / (frequency + 0.5))] as const;
  });
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);
  return new Map(weights.map(([token, weight]) => [token, weight / sum]));
}

/** The largest share of the query, by weight, that stands within `width` tokens: 0 to 1. Linear in the places. */
function proximity(places: readonly Place[], weights: ReadonlyMap<string, number>, width: number): number {
  const counts = new Map<string, number>();
  let share = 0;
  let best = 0;
  let leaving = 0;
  for (const [position, token] of places) {
    share += counts.get(token) ? 0 : (weights.get(token) ?? 0);
    counts.set(token, (counts.get(token) ?? 0) + 1);
    for (let place = places[leaving]; place && place[0] <= position - width; place = places[++leaving]) {
      const left = (counts.get(place[1]) ?? 0) - 1;
      counts.set(place[1], left);
      if (left === 0) share -= weights.get(place[1]) ?? 0;
    }
    best = Math.max(best, share);
  }
  return best;
}
