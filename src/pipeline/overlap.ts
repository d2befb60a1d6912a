import { held, termsOf } from "../text/terms.ts";
import type { Words } from "../text/words.ts";

/**
 * How much of the query's terms each text holds: 0 to 1, a term weighing as much as it is rare among the texts (BM25's inverse
 * document frequency). All 0 where the query has no term.
 */
export function overlaps(query: string, texts: readonly string[], words: Words): number[] {
  const terms = termsOf(query);
  const rows = texts.map((text) => {
    const tokens = words.ofQuery(text);
    return terms.map((term) => held(term, tokens));
  });
  const weights = terms.map((_, i) => {
    const frequency = rows.filter((row) => (row[i] ?? 0) > 0).length;
    return Math.log(1 + (texts.length - frequency + 0.5) / (frequency + 0.5));
  });
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  return rows.map((row) => row.reduce((sum, share, i) => sum + share * (weights[i] ?? 0), 0) / (whole || 1));
}
