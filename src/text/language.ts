export type Language = "ko" | "en" | "other";

const WORD = /[\p{L}\p{M}]+/gu;
const HANGUL = /\p{sc=Hangul}/u;
const ENGLISH = /^[a-z]+$/i;

/** Letters looked at: enough to tell, and long texts cost no more. */
const LENGTH_MAX = 2_000;

/** Korean is told from this share of words with Hangul, as English terms are common in Korean questions. */
const KOREAN_SHARE = 0.3;
const ENGLISH_SHARE = 0.7;

/**
 * The language of a text by the script of its words: Korean where at least 3 in 10 hold Hangul, English where 7 in 10 are
 * plain A to Z. Languages in Latin script that use few accents pass for English. A text without words is `other`.
 */
export function languageOf(text: string): Language {
  const words = text.slice(0, LENGTH_MAX).normalize("NFKC").match(WORD) ?? [];
  const share = (pattern: RegExp) => words.filter((word) => pattern.test(word)).length / words.length;
  if (words.length === 0) return "other";
  if (share(HANGUL) >= KOREAN_SHARE) return "ko";
  return share(ENGLISH) >= ENGLISH_SHARE ? "en" : "other";
}
