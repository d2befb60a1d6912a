import type { TokenCounter } from "../ports/token-counter.ts";
import { splitSentences } from "../text/sentences.ts";

/** A stretch of text with its count. Pieces of one text, joined with nothing between them, are that text again. */
export interface Piece {
  readonly text: string;
  readonly tokens: number;
}

/** Longest stretch, in UTF-16 units, that is cut by characters in one go. */
const WINDOW = 2_048;

const CHARACTERS = new Intl.Segmenter("ko", { granularity: "grapheme" });

/**
 * Cuts prose into pieces of at most `tokensMax` tokens, at the best places there are: ends of sentences, else between
 * words, else between characters as readers see them, and only within one of those that is itself too long.
 */
export function splitProse(text: string, tokensMax: number, counter: TokenCounter): Piece[] {
  const sentences = splitSentences(text);
  return sentences.flatMap((sentence, i) => {
    const piece = text.slice(i === 0 ? 0 : sentence.start, sentences[i + 1]?.start ?? text.length);
    const tokens = counter.count(piece);
    return tokens <= tokensMax ? [{ text: piece, tokens }] : splitWords(piece, tokensMax, counter);
  });
}

/** Cuts at line ends; a line of more than `tokensMax` tokens is cut like prose. */
export function splitLines(text: string, tokensMax: number, counter: TokenCounter): Piece[] {
  return text.split(/(?<=\n)/).flatMap((line) => {
    const tokens = counter.count(line);
    return tokens <= tokensMax ? [{ text: line, tokens }] : splitProse(line, tokensMax, counter);
  });
}

function splitWords(text: string, tokensMax: number, counter: TokenCounter): Piece[] {
  const words = text.split(/(?<=\S)(?=\s)/).flatMap((word) => {
    const tokens = counter.count(word);
    return tokens <= tokensMax ? [{ text: word, tokens }] : splitCharacters(word, tokensMax, counter);
  });
  return pack(words, tokensMax);
}

/** Joins neighbours as long as they stay within `tokensMax`. The sum of the counts is never below the joined count. */
function pack(pieces: readonly Piece[], tokensMax: number): Piece[] {
  const packed: Piece[] = [];
  let texts: string[] = [];
  let tokens = 0;
  for (const piece of pieces) {
    if (texts.length > 0 && tokens + piece.tokens > tokensMax) {
      packed.push({ text: texts.join(""), tokens });
      texts = [];
      tokens = 0;
    }
    texts.push(piece.text);
    tokens += piece.tokens;
  }
  if (texts.length > 0) packed.push({ text: texts.join(""), tokens });
  return packed;
}

function splitCharacters(text: string, tokensMax: number, counter: TokenCounter): Piece[] {
  const pieces: Piece[] = [];
  let length = WINDOW;
  for (let start = 0; start < text.length; ) {
    const end = characterEnd(text, start, Math.min(start + length, text.length));
    const piece = text.slice(start, end);
    const tokens = counter.count(piece);
    if (tokens > tokensMax && end - start > 2) {
      length = Math.max(1, Math.min(length - 1, Math.floor(((end - start) * tokensMax * 0.9) / tokens)));
    } else {
      pieces.push({ text: piece, tokens });
      start = end;
    }
  }
  return pieces;
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
