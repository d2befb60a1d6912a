import { headingText, type PassageParts, passageText } from "../text/passage-text.ts";
import { type Stem, searchTokens } from "../text/tokens.ts";
import { packedCount } from "./postings.ts";
import { Vocabulary } from "./vocabulary.ts";

/** The terms of a passage, and how often it holds each. */
export interface PassageTerms {
  /** Vocabulary numbers, each once. */
  readonly terms: Uint32Array;
  /** See `packedCount`. */
  readonly counts: Uint16Array;
  /** Search tokens of the text, without title and headings; at least 1. */
  readonly length: number;
}

/** The terms of several passages, found without the vocabulary that they are going to be numbered by. */
export interface FoundTerms {
  /** Each once, one a line: line i is number i below. */
  readonly lines: string;
  readonly terms: Uint32Array;
  readonly counts: Uint16Array;
  /** Where each passage's terms and counts end. */
  readonly ends: Uint32Array;
  readonly lengths: Uint32Array;
}

/** Looked up in the vocabulary between two steps: some tens of microseconds. */
const STEP_TERMS = 128;

export function termsOf(passage: PassageParts, vocabulary: Vocabulary): PassageTerms {
  const tokens = searchTokens(passageText(passage), vocabulary.stem);
  const heading = searchTokens(headingText(passage), vocabulary.stem);
  const inHeading = countTerms(heading, vocabulary);
  const inAll = countTerms(tokens, vocabulary);
  const terms = new Uint32Array(inAll.size);
  const counts = new Uint16Array(inAll.size);
  let at = 0;
  for (const [term, count] of inAll) {
    const above = inHeading.get(term) ?? 0;
    terms[at] = term;
    counts[at++] = packedCount(above, count - above);
  }
  return { terms, counts, length: Math.max(1, tokens.length - heading.length) };
}

/** The same of several, a passage a step. */
export function* termSteps(passages: readonly PassageParts[], vocabulary: Vocabulary): Generator<void, PassageTerms[]> {
  const found: PassageTerms[] = [];
  for (const passage of passages) {
    found.push(termsOf(passage, vocabulary));
    yield;
  }
  return found;
}

/** For a thread that has no vocabulary. */
export function findTerms(passages: readonly PassageParts[], stem: Stem): FoundTerms {
  const vocabulary = new Vocabulary(stem);
  const found = passages.map((passage) => termsOf(passage, vocabulary));
  const size = found.reduce((sum, { terms }) => sum + terms.length, 0);
  const terms = new Uint32Array(size);
  const counts = new Uint16Array(size);
  const ends = new Uint32Array(found.length);
  let at = 0;
  for (const [i, one] of found.entries()) {
    terms.set(one.terms, at);
    counts.set(one.counts, at);
    at += one.terms.length;
    ends[i] = at;
  }
  return { lines: vocabulary.terms.join("\n"), terms, counts, ends, lengths: Uint32Array.from(found, lengthOf) };
}

/** Numbers found terms by the vocabulary, some a step. */
export function* numberSteps(found: FoundTerms, vocabulary: Vocabulary): Generator<void, PassageTerms[]> {
  const lines = found.lines === "" ? [] : found.lines.split("\n");
  const numbers = new Uint32Array(lines.length);
  for (const [i, line] of lines.entries()) {
    numbers[i] = vocabulary.intern(line);
    if (i % STEP_TERMS === STEP_TERMS - 1) yield;
  }
  const terms = found.terms.map((line) => numbers[line] as number);
  return Array.from(found.ends, (end, i) => {
    const start = i === 0 ? 0 : (found.ends[i - 1] as number);
    const length = found.lengths[i] as number;
    return { terms: terms.subarray(start, end), counts: found.counts.subarray(start, end), length };
  });
}

function lengthOf({ length }: PassageTerms): number {
  return length;
}

function countTerms(tokens: readonly string[], vocabulary: Vocabulary): Map<number, number> {
  const counts = new Map<number, number>();
  for (const token of tokens) {
    const term = vocabulary.intern(token);
    counts.set(term, (counts.get(term) ?? 0) + 1);
  }
  return counts;
}
