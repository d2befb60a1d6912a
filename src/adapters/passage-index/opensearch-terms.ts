import { HEADING_COUNT_MAX } from "../../resident/postings.ts";
import { B, HEADING_WEIGHT, K1 } from "../../resident/text-leg.ts";
import { headingText, type PassageParts, passageText } from "../../text/passage-text.ts";
import { queryTokens, type Stem, searchTokens } from "../../text/tokens.ts";

/** Lucene counts in whole numbers: a frequency of 1 is written as so many. */
const PRECISION = 64;
/** A term that stands in a passage more often adds nothing that a score would show. */
const FREQUENCY_MAX = 1000;

/**
 * Lucene's BM25 as the sum Σ idf · f / (f + k1) of the resident index's text leg: the frequency f, weighed by field and by
 * length, is computed here and written as the term's frequency, so that the engine's own normalisation is switched off.
 */
export const SIMILARITY = { type: "BM25", k1: K1 * PRECISION, b: 0 } as const;

/** The search tokens of a passage. */
export interface PassageTokens {
  /** By token: how often it stands in title and headings, and in the text. */
  readonly counts: ReadonlyMap<string, { readonly inHeading: number; readonly inText: number }>;
  /** Search tokens of the text, without title and headings; at least 1. */
  readonly length: number;
}

export function passageTokens(passage: PassageParts, stem: Stem): PassageTokens {
  const tokens = searchTokens(passageText(passage), stem);
  const headings = searchTokens(headingText(passage), stem);
  const above = counted(headings);
  const counts = new Map<string, { inHeading: number; inText: number }>();
  for (const [token, count] of counted(tokens)) {
    const inHeading = above.get(token) ?? 0;
    counts.set(token, { inHeading: Math.min(inHeading, HEADING_COUNT_MAX), inText: Math.max(0, count - inHeading) });
  }
  return { counts, length: Math.max(1, tokens.length - headings.length) };
}

/** What is indexed: `token|frequency`, with blanks between. `averageLength`: of the collection, as far as it is known. */
export function writtenTerms({ counts, length }: PassageTokens, averageLength: number): string {
  const normalisation = 1 - B + (B * length) / averageLength;
  const written: string[] = [];
  for (const [token, { inHeading, inText }] of counts) {
    const frequency = Math.min(HEADING_WEIGHT * inHeading + inText / normalisation, FREQUENCY_MAX);
    written.push(`${token}|${Math.max(1, Math.round(frequency * PRECISION))}`);
  }
  return written.join(" ");
}

/** The distinct tokens of a query, at most `max`, as scoring clauses: a repeated one counts again. */
export function termClauses(text: string, stem: Stem, max: number): object[] {
  return [...counted(queryTokens(text, stem))]
    .slice(0, max)
    .map(([value, boost]) => ({ term: { terms: boost === 1 ? { value } : { value, boost } } }));
}

function counted(tokens: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return counts;
}
