import type { StoredPassage } from "../ports/fusion-store.ts";
import { type Language, languageOf } from "../text/language.ts";
import { passageText } from "../text/passage-text.ts";
import { splitSentences } from "../text/sentences.ts";
import { memoizedStem, searchTokens } from "../text/tokens.ts";

/** Questions of each kind, at most. */
export const QUESTIONS_MAX = 128;

/** Sentences that may stand for a question: characters. Shorter ones are labels, longer ones lists. */
const SENTENCE_LENGTH = { min: 12, max: 400 };
const HEADING_LENGTH_MIN = 4;

/** Code, tables and headings. */
const MARKUP = /^[`|#]/;

/** A question made of the collection's own words. */
export interface MadeQuestion {
  readonly text: string;
  readonly language: Language;
  /** Place in the sample of the passage that it was made of. */
  readonly place: number;
}

/** A sentence asks for the passage that it was taken out of. */
export interface SentenceQuestion extends MadeQuestion {
  /** As it stood in the passage. */
  readonly sentence: string;
  readonly reduced: StoredPassage;
}

/** Title and last heading ask for the passages below them, as they are: what somebody types who knows the document. */
export function headingQuestions(sample: readonly StoredPassage[]): MadeQuestion[] {
  return spread(sample.length, QUESTIONS_MAX).flatMap((place): MadeQuestion[] => {
    const text = headingOf(sample[place]);
    return text.length < HEADING_LENGTH_MIN ? [] : [{ text, language: languageOf(text), place }];
  });
}

export function headingOf(passage: StoredPassage | undefined): string {
  if (!passage) return "";
  const last = passage.headings.at(-1);
  return [passage.title, ...(last === undefined ? [] : [last])].filter((part) => part !== "").join(" ");
}

/** What the content says in other words than the question: the rest of a passage should be found by its sentence. */
export function sentenceQuestions(sample: readonly StoredPassage[]): SentenceQuestion[] {
  return spread(sample.length, QUESTIONS_MAX).flatMap((place, turn): SentenceQuestion[] => {
    const passage = sample[place];
    if (!passage) return [];
    const { text } = passage;
    const sentences = splitSentences(text).filter(isQuestion);
    const sentence = sentences[(turn * 7) % Math.max(1, sentences.length)];
    if (!sentence || sentences.length < 2) return [];
    const rest = `${text.slice(0, sentence.start)} ${text.slice(sentence.end)}`;
    const reduced = { ...passage, text: rest, vector: null };
    return [{ text: sentence.text, sentence: sentence.text, language: languageOf(sentence.text), place, reduced }];
  });
}

/** Words that still ask for something. */
const THINNED_WORDS_MIN = 3;

/**
 * The same questions with every second of the words left out that the rest of the passage holds too: an author repeats the own
 * words, somebody who asks has others.
 */
export function thinned(questions: readonly SentenceQuestion[]): SentenceQuestion[] {
  const stem = memoizedStem();
  return questions.flatMap((question): SentenceQuestion[] => {
    const held = new Set(searchTokens(reducedText(question), stem));
    let repeated = 0;
    const words = question.text.split(/\s+/).filter((word) => {
      const tokens = searchTokens(word, stem);
      return tokens.length > 0 && (!tokens.every((token) => held.has(token)) || repeated++ % 2 === 0);
    });
    return words.length < THINNED_WORDS_MIN ? [] : [{ ...question, text: words.join(" ") }];
  });
}

/** The text that a reduced passage is embedded by. */
export const reducedText = ({ reduced }: SentenceQuestion): string => passageText(reduced);

function isQuestion({ text }: { readonly text: string }): boolean {
  const { min, max } = SENTENCE_LENGTH;
  return text.length >= min && text.length <= max && !MARKUP.test(text) && languageOf(text) !== "other";
}

/** At most `count` places of `size`, evenly spread. */
export function spread(size: number, count: number): number[] {
  if (size <= count) return Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * size) / count));
}
