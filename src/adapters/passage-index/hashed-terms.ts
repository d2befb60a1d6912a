import { packedCount } from "../../resident/postings.ts";
import { headingText, type PassageParts, passageText } from "../../text/passage-text.ts";
import { queryTokens, type Stem, searchTokens } from "../../text/tokens.ts";

/** A passage's search tokens, each by its hash. */
export interface HashedTerms {
  /** Hash to count: see `packedCount`. */
  readonly counts: ReadonlyMap<number, number>;
  /** Search tokens of the text, without title and headings; at least 1. */
  readonly length: number;
}

export function hashedTerms(passage: PassageParts, stem: Stem): HashedTerms {
  const tokens = searchTokens(passageText(passage), stem);
  const headings = searchTokens(headingText(passage), stem);
  const above = countHashes(headings);
  const counts = countHashes(tokens);
  for (const [hash, count] of counts) {
    const inHeading = above.get(hash) ?? 0;
    counts.set(hash, packedCount(inHeading, count - inHeading));
  }
  return { counts, length: Math.max(1, tokens.length - headings.length) };
}

/** A query's tokens by hash, and how often it holds each. */
export function hashedQuery(text: string, stem: Stem): Map<number, number> {
  return countHashes(queryTokens(text, stem));
}

function countHashes(tokens: readonly string[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const token of tokens) {
    const hash = hashOf(token);
    counts.set(hash, (counts.get(hash) ?? 0) + 1);
  }
  return counts;
}

/**
 * FNV-1a over UTF-16 code units with MurmurHash3's finaliser, as a signed 32-bit integer. Two tokens of one hash count as one:
 * of a million different ones some hundred pairs do.
 */
export function hashOf(token: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < token.length; i++) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
