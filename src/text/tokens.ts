import { stemmer } from "stemmer";
import { isLetter, isSyllable, languageOf } from "./language.ts";

/** Longer words are cut to this many UTF-16 code units: a blob of base64 must not cost more than a word. */
const WORD_LENGTH_MAX = 64;

/** Snowball's English stop words, contractions aside, with Lucene's `into`, `such` and `will`, and `can` of its questions. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its " +
    "itself they them their theirs themselves what which who whom this that these those am is are was were be been being " +
    "have has had having do does did doing would should could ought a an the and but if or because as until while of at by " +
    "for with about against between into through during before after above below to from up down in out on off over under " +
    "again further then once here there when where why how all any both each few more most other some such no nor not only " +
    "own same so than too very will can"
  ).split(" "),
);

/** Scripts written without spaces between words, but for Hangul, which has a group of its own. */
const IDEOGRAPHS = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}ー`;
/** Letters, marks and digits of every other script. */
const CHARACTER = String.raw`[[\p{L}\p{M}\p{N}]--[\p{sc=Hangul}${IDEOGRAPHS}]]`;
/** `1,000,000.5` */
const THOUSANDS = String.raw`\p{Nd}{1,3}(?:,\p{Nd}{3})+(?!\p{Nd})(?:\.\p{Nd}+)?`;
/** `leave`, `don't`, `p53`, `3.14` */
const WORD = String.raw`${CHARACTER}+(?:(?:'|(?<=\p{Nd})\.(?=\p{Nd}))${CHARACTER}+)*`;

/**
 * The runs of a text that become tokens. The first group is Hangul, without the araea (ㆍ, U+119E in NFKC), which is a middle dot
 * in practice; the second Han and kana; without a group, a word or a number.
 */
const RUN = new RegExp(String.raw`([\p{sc=Hangul}--\u{119e}]+)|([${IDEOGRAPHS}]+)|${THOUSANDS}|${WORD}`, "gv");

const LETTERS = /^[a-z']+$/;

/** Reduces an English word, given in lower case, to its stem. */
export type Stem = (word: string) => string;

/** A Porter stemmer that remembers up to `wordsMax` words: for work over many texts. */
export function memoizedStem(wordsMax = 100_000): Stem {
  const stems = new Map<string, string>();
  return (word) => {
    let stem = stems.get(word);
    if (stem === undefined) {
      if (stems.size >= wordsMax) stems.clear();
      stem = stemmer(word);
      stems.set(word, stem);
    }
    return stem;
  };
}

/**
 * Every search token of a text, in order, for any mix of languages. In NFKC and lower case, a run of Hangul, Han or kana
 * gives its overlapping bigrams (a single character itself), so that 퇴직금 finds 퇴직금은 without a dictionary; a Latin
 * word gives its Porter stem, an English stop word itself; numbers stay whole, without thousands separators.
 * Deterministic, linear in the length of the text.
 */
export function searchTokens(text: string, stem: Stem = stemmer): string[] {
  return plainTokens(text, stem) ?? allTokens(text, stem);
}

function allTokens(text: string, stem: Stem): string[] {
  const tokens: string[] = [];
  for (const [run, hangul, ideographs] of text.normalize("NFKC").toLowerCase().replaceAll("’", "'").matchAll(RUN)) {
    if (hangul !== undefined) pushBigrams(hangul, tokens);
    else if (ideographs !== undefined) pushBigrams(ideographs, tokens);
    else tokens.push(wordToken(run, stem));
  }
  return tokens;
}

/** The same of letters, Hangul syllables and what stands between words, in a third of the time; null: there is something else. */
function plainTokens(text: string, stem: Stem): string[] | null {
  const tokens: string[] = [];
  for (let i = 0; i < text.length; ) {
    const unit = text.charCodeAt(i);
    const from = i++;
    if (isSyllable(unit)) {
      while (isSyllable(text.charCodeAt(i))) i++;
      pushBigrams(text.slice(from, i), tokens);
    } else if (isLetter(unit)) {
      while (isLetter(text.charCodeAt(i))) i++;
      tokens.push(wordToken(text.slice(from, i).toLowerCase(), stem));
    } else if (!BETWEEN_WORDS.includes(text[from] as string)) return null;
  }
  return tokens;
}

/** Nothing that a word or a number may hold. */
const BETWEEN_WORDS = ' .,?!\n()-:;"/';

/**
 * The tokens of a query: without English stop words, unless it has nothing else ("to be or not to be"), or is in Korean, where a
 * Latin word is a term (IT 지원팀).
 */
export function queryTokens(text: string, stem: Stem = stemmer): string[] {
  const tokens = searchTokens(text, stem);
  if (languageOf(text) === "ko") return tokens;
  const content = tokens.filter((token) => !isStopWord(token));
  return content.length > 0 ? content : tokens;
}

/** Whether a token is one of the words that English questions and sentences share whatever they are about. */
export function isStopWord(token: string): boolean {
  return STOP_WORDS.has(token);
}

function wordToken(run: string, stem: Stem): string {
  const word = run.endsWith("'s") ? run.slice(0, -2) : run;
  if (word.length > WORD_LENGTH_MAX) return word.slice(0, WORD_LENGTH_MAX);
  if (LETTERS.test(word)) return STOP_WORDS.has(word) ? word : stem(word);
  return word.replaceAll(",", "");
}

function pushBigrams(run: string, tokens: string[]): void {
  if (run.length === 1) tokens.push(run);
  else if (SURROGATE.test(run)) pushBigramsOfCharacters([...run], tokens);
  else for (let i = 0; i + 1 < run.length; i++) tokens.push(run.slice(i, i + 2));
}

const SURROGATE = /[\ud800-\udfff]/;

/** For runs with characters of two code units (rare Han). */
function pushBigramsOfCharacters(characters: readonly string[], tokens: string[]): void {
  const [only = ""] = characters;
  if (characters.length === 1) tokens.push(only);
  for (let i = 0; i + 1 < characters.length; i++) tokens.push(characters.slice(i, i + 2).join(""));
}
