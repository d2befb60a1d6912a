import { held, termsOf } from "../text/terms.ts";
import type { Words } from "../text/words.ts";

/**
 * How much of a query's terms each text holds: 0 to 1, a term weighing as much as it is rare among the texts (BM25's inverse
 * document frequency); of several wordings of the query the best. All 0 where the query has no term.
 */
export function overlaps(queries: readonly string[], texts: readonly string[], words: Words): number[] {
  if (texts.length === 0) return [];
  const tokens = texts.map((text) => words.ofQuery(text));
  const byQuery = [...new Set(queries)].map((query) => sharesOf(query, tokens));
  return texts.map((_, i) => Math.max(0, ...byQuery.map((shares) => shares[i] ?? 0)));
}

function sharesOf(query: string, texts: readonly ReadonlySet<string>[]): number[] {
  const terms = termsOf(query);
  const rows = texts.map((tokens) => terms.map((term) => held(term, tokens)));
  const weights = terms.map((_, i) => {
    const frequency = rows.filter((row) => (row[i] ?? 0) > 0).length;
    return Math.log(1 + (texts.length - frequency + 0.5) / (frequency + 0.5));
  });
  const whole = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  return rows.map((row) => row.reduce((sum, share, i) => sum + share * (weights[i] ?? 0), 0) / whole);
}
