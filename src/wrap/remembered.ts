import type { TokenCounter } from "../ports/token-counter.ts";

/** Shorter texts are counted as fast as they are found. */
const LENGTH_MIN = 24;
/** What an entry takes beside its text, in characters. */
const OVERHEAD = 32;

/** Remembers the counts of texts, up to `charactersMax` of them: passages and their places come up again with every question. */
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
        const size = text.length + OVERHEAD;
        characters += size;
        if (characters > charactersMax) {
          counts.clear();
          characters = size;
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
