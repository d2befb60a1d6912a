import type { TokenCounter } from "../../ports/token-counter.ts";

/** Longest unbroken run, in UTF-16 units, that is counted in one piece: byte pair merging is quadratic in a run's length. */
const RUN_MAX = 128;

/** Every kind of run that the encoding's own splitting may keep together: letters, punctuation, line ends, white space. */
const LONG_RUN = new RegExp(
  ["[\\p{L}\\p{M}]", "[^\\s\\p{L}\\p{N}]", "[\\r\\n/]", "\\s"].map((run) => `${run}{${RUN_MAX + 1},}`).join("|"),
  "gu",
);

/** Distinct words whose tokens are remembered. Long words keep the text that they came from alive, so not too many. */
const REMEMBERED_WORDS = 20_000;

/**
 * Counts tokens of OpenAI's `o200k_base` encoding. Special tokens are counted as the plain text they are in a prompt.
 * Exact, except that an unbroken run of more than 128 UTF-16 units is counted in pieces, plus one token a cut: never
 * below the real count, and linear in the text's length.
 */
export async function createO200kCounter(): Promise<TokenCounter> {
  const { countTokens, setMergeCacheSize } = await import("gpt-tokenizer/encoding/o200k_base");
  setMergeCacheSize(REMEMBERED_WORDS);
  const plainText = { disallowedSpecial: new Set<string>() };

  function countRun(run: string): number {
    let tokens = 0;
    for (let start = 0; start < run.length; ) {
      const end = pieceEnd(run, start);
      tokens += countTokens(run.slice(start, end), plainText) + 1;
      start = end;
    }
    return tokens;
  }

  return {
    name: "o200k_base",
    count(text) {
      if (text.length <= RUN_MAX) return countTokens(text, plainText);
      let tokens = 0;
      let start = 0;
      for (const { 0: run, index } of text.matchAll(LONG_RUN)) {
        tokens += countTokens(text.slice(start, index), plainText) + countRun(run);
        start = index + run.length;
      }
      return tokens + countTokens(start === 0 ? text : text.slice(start), plainText);
    },
  };
}

/** Where the piece that starts at `start` ends: never between the two halves of a surrogate pair. */
function pieceEnd(run: string, start: number): number {
  const end = Math.min(start + RUN_MAX, run.length);
  return end < run.length && isPair(run, end) ? end - 1 : end;
}

function isPair(text: string, index: number): boolean {
  return (text.codePointAt(index - 1) ?? 0) > 0xffff;
}
