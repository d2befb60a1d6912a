import { RaglineError } from "../../errors.ts";
import type { TokenCounter } from "../../ports/token-counter.ts";

/** OpenAI's older encodings. Their vocabularies are not shipped: `gpt-tokenizer` has to be installed beside. */
const ENCODINGS = {
  cl100k_base: () => import("gpt-tokenizer/encoding/cl100k_base"),
  p50k_base: () => import("gpt-tokenizer/encoding/p50k_base"),
  r50k_base: () => import("gpt-tokenizer/encoding/r50k_base"),
} as const;

export type EncodingName = keyof typeof ENCODINGS;

/** Unbroken runs longer than this, in UTF-16 units, are counted in pieces: byte pair merging is quadratic in a run's length. */
const PIECE_MAX = 256;

/** @throws RaglineError `config_invalid`: the package is not installed. */
export async function createEncodingCounter(name: EncodingName): Promise<TokenCounter> {
  const { countTokens, setMergeCacheSize } = await ENCODINGS[name]().catch((cause: unknown) => {
    throw new RaglineError(
      "config_invalid",
      `prompt.counter: ${name} needs the package gpt-tokenizer: npm install gpt-tokenizer`,
      { cause },
    );
  });
  setMergeCacheSize(0);
  const plainText = { disallowedSpecial: new Set<string>() };
  return { name, count: (text) => countPieces(text, (piece) => countTokens(piece, plainText)) };
}

/** A text counted in pieces, one token more a cut: never below the count of the whole, and linear in its length. */
export function countPieces(text: string, count: (piece: string) => number): number {
  let tokens = 0;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + PIECE_MAX, text.length);
    const isWhole = end === text.length;
    // Behind a space nothing is joined; else between characters, never within one.
    const space = isWhole ? -1 : start + text.slice(start, end).lastIndexOf(" ");
    if (space > start) end = space;
    else if (!isWhole && /[\ud800-\udbff]/.test(text.charAt(end - 1))) end--;
    tokens += count(text.slice(start, end)) + (isWhole ? 0 : 1);
    start = end;
  }
  return tokens;
}
