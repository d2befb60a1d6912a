import { amountsOf, standingIn } from "../../text/amounts.ts";
import { held, isCounted, type Term } from "../../text/terms.ts";
import { searchTokens } from "../../text/tokens.ts";

/** Numbers of a question that are looked for in ranges. */
const RANGED_MAX = 8;

/**
 * Tells how much of each term a text holds: 0 to 1. A number is held by the range of a line as well: 4년 by `3년 이상 5년 미만`.
 */
export function sharesBy(terms: readonly Term[]): (text: string) => number[] {
  const ranged = new Map(
    terms
      .filter(isCounted)
      .slice(0, RANGED_MAX)
      .map((term) => [term, amountsOf(term.word)]),
  );
  return (text) => {
    const tokens = new Set(searchTokens(text));
    const lines = ranged.size > 0 ? text.split("\n").map(standingIn) : [];
    const isInRange = (term: Term) =>
      (ranged.get(term) ?? []).some((amount) => lines.some((standing) => standing(amount) === "holds"));
    return terms.map((term) => held(term, tokens) || Number(isInRange(term)));
  };
}
