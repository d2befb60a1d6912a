import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { O200K_TOKEN_SPLIT_REGEX } from "gpt-tokenizer/encodingParams/constants";
import type { TokenCounter } from "../../ports/token-counter.ts";
import { BytePairs } from "./byte-pairs.ts";

/** Made by the build; a checkout packs its own at every start, in a thread that then ends, and its 200,000 strings with it. */
const VOCABULARY = new URL("./o200k_base.tokens", import.meta.url);
const PACKER = new URL("./o200k-vocabulary.ts", import.meta.url);

/** Longest unbroken run, in UTF-16 units, that is counted in one piece: byte pair merging is quadratic in a run's length. */
const RUN_MAX = 128;

/** A longer run is several: the regular expression engine recurses over what it matches. */
const RUN_MATCHED_MAX = 65_536;

/** Every kind of run that the encoding's own splitting may keep together: letters, punctuation, line ends, white space. */
const LONG_RUN = new RegExp(
  ["[\\p{L}\\p{M}]", "[^\\s\\p{L}\\p{N}]", "[\\r\\n/]", "\\s"]
    .map((run) => `${run}{${RUN_MAX + 1},${RUN_MATCHED_MAX}}`)
    .join("|"),
  "gu",
);

/** Counts of short words are remembered: few words make up most of any text. V8 copies strings of up to 12 units. */
const REMEMBERED_LENGTH_MAX = 12;
const REMEMBERED_WORDS_MAX = 20_000;

/** One for all counters: some 4 MB, and where nothing is built yet a second of packing. */
let pairsOfAll: Promise<BytePairs> | null = null;

/**
 * Counts tokens of OpenAI's `o200k_base` encoding. Special tokens are counted as the plain text they are in a prompt.
 * Exact, except that an unbroken run of more than 128 UTF-16 units is counted in pieces, plus one token a cut: never
 * below the real count, and linear in the text's length.
 */
export async function createO200kCounter(): Promise<TokenCounter> {
  pairsOfAll ??= vocabulary().then((packed) => new BytePairs(packed));
  const pairs = await pairsOfAll;
  const split = new RegExp(O200K_TOKEN_SPLIT_REGEX);
  const remembered = new Map<string, number>();

  /** The pieces that are matched leave nothing out. */
  function countTokens(text: string): number {
    let tokens = 0;
    for (let start = 0; split.test(text); start = split.lastIndex) tokens += pairs.count(text, start, split.lastIndex);
    return tokens;
  }

  function countRun(run: string): number {
    let tokens = 0;
    let last = { piece: "", tokens: 0 };
    for (let start = 0; start < run.length; start += last.piece.length) {
      const piece = run.slice(start, pieceEnd(run, start));
      if (piece !== last.piece) last = { piece, tokens: countTokens(piece) };
      tokens += last.tokens + 1;
    }
    return tokens;
  }

  function countLong(text: string): number {
    let tokens = 0;
    let start = 0;
    for (const { 0: run, index } of text.matchAll(LONG_RUN)) {
      tokens += countTokens(text.slice(start, index)) + countRun(run);
      start = index + run.length;
    }
    return tokens + countTokens(text.slice(start));
  }

  function countWord(word: string): number {
    if (word.length > REMEMBERED_LENGTH_MAX) return word.length > RUN_MAX ? countLong(word) : countTokens(word);
    let tokens = remembered.get(word);
    if (tokens === undefined) {
      tokens = countTokens(word);
      if (remembered.size >= REMEMBERED_WORDS_MAX) remembered.clear();
      remembered.set(word, tokens);
    }
    return tokens;
  }

  /** Word by word: the encoding never joins across a single space between two of them. */
  function count(text: string): number {
    let tokens = 0;
    let start = 0;
    for (let space = text.indexOf(" ", 1); space >= 0; space = text.indexOf(" ", space + 1)) {
      if (space + 1 === text.length || isSpace(text, space - 1) || isSpace(text, space + 1)) continue;
      tokens += countWord(text.slice(start, space));
      start = space;
    }
    return tokens + countWord(text.slice(start));
  }

  return { name: "o200k_base", count };
}

async function vocabulary(): Promise<Uint8Array> {
  if (existsSync(VOCABULARY)) return readFile(VOCABULARY);
  return new Promise((resolve, reject) => {
    new Worker(PACKER).once("message", resolve).once("error", reject);
  });
}

function isSpace(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code <= 0x20 ? code === 0x20 || (code >= 0x09 && code <= 0x0d) : code >= 0xa0 && /\s/.test(text.charAt(index));
}

/** Where the piece that starts at `start` ends: never between the two halves of a surrogate pair. */
function pieceEnd(run: string, start: number): number {
  const end = Math.min(start + RUN_MAX, run.length);
  return end < run.length && isPair(run, end) ? end - 1 : end;
}

function isPair(text: string, index: number): boolean {
  return (text.codePointAt(index - 1) ?? 0) > 0xffff;
}
