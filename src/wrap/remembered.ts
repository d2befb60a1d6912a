import type { TokenCounter } from "../ports/token-counter.ts";

/** Shorter texts are counted as fast as they are found. */
const LENGTH_MIN = 200;

/** Remembers the counts of long texts, up to `charactersMax` of them: passages come up again with every question. */
export function remembered(counter: TokenCounter, charactersMax = 8_000_000): TokenCounter {
  const counts = new Map<string, number>();
  let characters = 0;
  return {
    name: counter.name,
    count(text) {
      if (text.length < LENGTH_MIN) return counter.count(text);
      let tokens = counts.get(text);
      if (tokens === undefined) {
        tokens = counter.count(text);
        characters += text.length;
        if (characters > charactersMax) {
          counts.clear();
          characters = text.length;
        }
        counts.set(text, tokens);
      }
      return tokens;
    },
    async close() {
      await counter.close?.();
    },
  };
}
