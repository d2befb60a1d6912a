import type { TokenCounter } from "../../ports/token-counter.ts";

/** No tokenizer in use takes more than one token a UTF-8 byte; a UTF-16 unit has at most three bytes. */
const TOKENS_PER_UNIT_MAX = 3;

/** The longest beginning of at most `tokensMax` tokens, to one part in a hundred; no character is split. */
export function cutTo(text: string, tokensMax: number, counter: TokenCounter): string {
  if (text.length * TOKENS_PER_UNIT_MAX <= tokensMax) return text;
  let tokens = counter.count(text);
  let cut = text;
  while (tokens > tokensMax) {
    cut = beginning(cut, Math.min(cut.length - 1, Math.floor(cut.length * (tokensMax / tokens) * 0.99)));
    tokens = counter.count(cut);
  }
  return cut;
}

/** The first `units` UTF-16 units, one fewer where they would end within a character. */
export function beginning(text: string, units: number): string {
  return text.slice(0, units).replace(/[\ud800-\udbff]$/, "");
}
