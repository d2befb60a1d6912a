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
  const read = text.slice(0, LENGTH_MAX);
  const { words, korean, english } = countPlain(read) ?? count(read);
  if (words === 0) return "other";
  if (korean / words >= KOREAN_SHARE) return "ko";
  return english / words >= ENGLISH_SHARE ? "en" : "other";
}

interface Counts {
  readonly words: number;
  readonly korean: number;
  readonly english: number;
}

function count(text: string): Counts {
  const words = text.normalize("NFKC").match(WORD) ?? [];
  const like = (pattern: RegExp) => words.filter((word) => pattern.test(word)).length;
  return { words: words.length, korean: like(HANGUL), english: like(ENGLISH) };
}

/** The same of ASCII and Hangul syllables, as most questions are, in a tenth of the time; null: there is something else. */
function countPlain(text: string): Counts | null {
  let words = 0;
  let korean = 0;
  let inWord = false;
  let hasHangul = false;
  for (let i = 0; i <= text.length; i++) {
    const unit = i < text.length ? text.charCodeAt(i) : BLANK;
    const isHangul = isSyllable(unit);
    if (unit > ASCII_MAX && !isHangul) return null;
    if (isHangul || isLetter(unit)) {
      inWord = true;
      hasHangul ||= isHangul;
    } else if (inWord) {
      words++;
      if (hasHangul) korean++;
      inWord = hasHangul = false;
    }
  }
  return { words, korean, english: words - korean };
}

const BLANK = 0x20;
const ASCII_MAX = 0x7f;

/** By its UTF-16 code unit: a Hangul syllable. */
export function isSyllable(unit: number): boolean {
  return unit >= 0xac00 && unit <= 0xd7a3;
}

/** By its UTF-16 code unit: A to Z, in either case. */
export function isLetter(unit: number): boolean {
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}
