import { type PassageParts, passageText } from "./passage-text.ts";
import { memoizedStem, queryTokens, searchTokens } from "./tokens.ts";

/** Search tokens, remembered: stems by word, a passage's by the passage, for as long as somebody holds it. */
export interface Words {
  ofQuery(query: string): ReadonlySet<string>;
  ofPassage(passage: PassageParts): ReadonlySet<string>;
}

export function createWords(): Words {
  const stem = memoizedStem();
  const passages = new WeakMap<PassageParts, ReadonlySet<string>>();
  return {
    ofQuery: (query) => new Set(queryTokens(query, stem)),
    ofPassage(passage) {
      let tokens = passages.get(passage);
      if (!tokens) {
        tokens = new Set(searchTokens(passageText(passage), stem));
        passages.set(passage, tokens);
      }
      return tokens;
    },
  };
}
