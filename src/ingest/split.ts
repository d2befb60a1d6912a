import type { TokenCounter } from "../ports/token-counter.ts";
import { splitSentences } from "../text/sentences.ts";

/** A stretch of text with its count. Pieces of one text, joined with nothing between them, are that text again. */
export interface Piece {
  readonly text: string;
  readonly tokens: number;
}

/** A text of this many UTF-16 units a token is over a limit without being counted, which would take its time. */
export const UNITS_PER_TOKEN_MAX = 32;

/** Longest stretch, in UTF-16 units, that is cut by characters in one go. */
const WINDOW = 2_048;

/** Longest stretch of prose, in UTF-16 units, that is read in one go; its end is looked for in its tail. */
const STRETCH = 65_536;
const STRETCH_TAIL = 4_096;
/** More than what `splitSentences` looks at behind a sentence's end. */
const LOOK_AHEAD = 64;

const CHARACTERS = new Intl.Segmenter("ko", { granularity: "grapheme" });

type Pieces = Generator<Piece, void, undefined>;

/**
 * Cuts prose into pieces of at most `tokensMax` tokens, at the best places there are: ends of lines and sentences, else between
 * words, else between characters as readers see them, and only within one of those that is itself too long.
 */
export function* splitProse(text: string, tokensMax: number, counter: TokenCounter): Pieces {
  for (const line of lines(text)) yield* splitLine(line, tokensMax, counter);
}

function* splitLine(text: string, tokensMax: number, counter: TokenCounter): Pieces {
  for (const stretch of stretches(text)) {
    const [, ...later] = splitSentences(stretch);
    const starts = [0, ...later.map((sentence) => sentence.start)];
    for (const [i, start] of starts.entries()) {
      const piece = stretch.slice(start, starts[i + 1]);
      const tokens = countUpTo(tokensMax, piece, counter);
      if (tokens <= tokensMax) yield { text: piece, tokens };
      else yield* pack(splitWords(piece, tokensMax, counter), tokensMax);
    }
  }
}

/** Cuts at line ends; a line of more than `tokensMax` tokens is cut like prose. */
export function* splitLines(text: string, tokensMax: number, counter: TokenCounter): Pieces {
  for (const line of lines(text)) {
    const tokens = countUpTo(tokensMax, line, counter);
    if (tokens <= tokensMax) yield { text: line, tokens };
    else yield* splitLine(line, tokensMax, counter);
  }
}

/** What is read in one go, so that a caller can let other work run in between. */
function* stretches(text: string): Generator<string, void, undefined> {
  let start = 0;
  while (text.length - start > STRETCH) {
    const from = start + STRETCH - STRETCH_TAIL;
    const tail = text.slice(from, from + STRETCH_TAIL);
    const [, ...sentences] = splitSentences(tail);
    const at =
      sentences.findLast((sentence) => sentence.start <= STRETCH_TAIL - LOOK_AHEAD)?.start ??
      [...tail.matchAll(/(?<=\S)\s/g)].at(-1)?.index;
    const end = at === undefined ? characterEnd(text, from, from + STRETCH_TAIL) : from + at;
    yield text.slice(start, end);
    start = end;
  }
  yield text.slice(start);
}

function* lines(text: string): Generator<string, void, undefined> {
  let start = 0;
  for (let end = text.indexOf("\n") + 1; end > 0 && end < text.length; end = text.indexOf("\n", start) + 1) {
    yield text.slice(start, end);
    start = end;
  }
  yield text.slice(start);
}

function countUpTo(tokensMax: number, text: string, counter: TokenCounter): number {
  return text.length > tokensMax * UNITS_PER_TOKEN_MAX ? Number.POSITIVE_INFINITY : counter.count(text);
}

/** Joins neighbours as long as they stay within `tokensMax` by the sum of their counts, which the joined count never exceeds. */
export function* pack(pieces: Iterable<Piece>, tokensMax: number): Pieces {
  let texts: string[] = [];
  let tokens = 0;
  for (const piece of pieces) {
    if (texts.length > 0 && tokens + piece.tokens > tokensMax) {
      yield { text: texts.join(""), tokens };
      texts = [];
      tokens = 0;
    }
    texts.push(piece.text);
    tokens += piece.tokens;
  }
  if (texts.length > 0) yield { text: texts.join(""), tokens };
}

function* splitWords(text: string, tokensMax: number, counter: TokenCounter): Pieces {
  for (const word of text.split(/(?<=\S)(?=\s)/)) {
    const tokens = countUpTo(tokensMax, word, counter);
    if (tokens <= tokensMax) yield { text: word, tokens };
    else yield* splitCharacters(word, tokensMax, counter);
  }
}

function* splitCharacters(text: string, tokensMax: number, counter: TokenCounter): Pieces {
  let length = WINDOW;
  for (let start = 0; start < text.length; ) {
    const end = characterEnd(text, start, Math.min(start + length, text.length));
    const piece = text.slice(start, end);
    const tokens = counter.count(piece);
    if (tokens > tokensMax && end - start > 2) {
      length = Math.max(1, Math.min(length - 1, Math.floor(((end - start) * tokensMax * 0.9) / tokens)));
    } else {
      yield { text: piece, tokens };
      start = end;
    }
  }
}

/** The last end of a character in (start, end]; within a character longer than that, `end`, sparing surrogate pairs. */
function characterEnd(text: string, start: number, end: number): number {
  if (end === text.length) return end;
  let last = 0;
  for (const { index } of CHARACTERS.segment(text.slice(start, end + 2))) {
    if (index > end - start) break;
    last = index;
  }
  if (last > 0) return start + last;
  const isInsidePair = (text.codePointAt(end - 1) ?? 0) > 0xffff;
  if (!isInsidePair) return end;
  return end - start > 1 ? end - 1 : end + 1;
}
