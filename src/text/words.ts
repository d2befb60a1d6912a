import { type Canonical, createCanonical } from "./compared.ts";
import { type PassageParts, passageText } from "./passage-text.ts";
import { memoizedStem, queryTokens, searchTokens } from "./tokens.ts";

/** What is read off texts, remembered: stems by word, of a passage by the passage, for as long as somebody holds it. */
export interface Words {
  ofQuery(query: string): ReadonlySet<string>;
  ofPassage(passage: PassageParts): ReadonlySet<string>;
  /** See `passageText`: the same string each time, which others remember things by. */
  textOf(passage: PassageParts): string;
  /** A passage's words as they would be compared for sameness: see `comparedWords`. */
  compared(passage: PassageParts): string;
}

/** Queries remembered: each is read several times while it is answered. */
const QUERIES_MAX = 512;
const QUERY_LENGTH_MAX = 500;

export function createWords(): Words {
  const stem = memoizedStem();
  const canonical = createCanonical();
  const passages = new WeakMap<PassageParts, ReadonlySet<string>>();
  const texts = new WeakMap<PassageParts, string>();
  const compared = new WeakMap<PassageParts, string>();
  const queries = new Map<string, ReadonlySet<string>>();
  return {
    ofQuery(query) {
      let tokens = queries.get(query);
      if (!tokens) {
        tokens = new Set(queryTokens(query, stem));
        const [oldest] = queries.keys();
        if (oldest !== undefined && queries.size >= QUERIES_MAX) queries.delete(oldest);
        if (query.length <= QUERY_LENGTH_MAX) queries.set(query, tokens);
      }
      return tokens;
    },
    ofPassage(passage) {
      let tokens = passages.get(passage);
      if (!tokens) {
        tokens = new Set(searchTokens(this.textOf(passage), stem));
        passages.set(passage, tokens);
      }
      return tokens;
    },
    textOf(passage) {
      let text = texts.get(passage);
      if (text === undefined) {
        text = passageText(passage);
        texts.set(passage, text);
      }
      return text;
    },
    compared(passage) {
      let words = compared.get(passage);
      if (words === undefined) {
        words = comparedWords(passage, canonical);
        compared.set(passage, words);
      }
      return words;
    },
  };
}

/** A shorter text gets its meaning from the headings above it, and is compared with them. */
const OWN_WORDS_MIN = 8;

function comparedWords(passage: PassageParts, canonical: Canonical): string {
  const own = canonical(passage.text);
  return own.split(" ", OWN_WORDS_MIN + 2).length < OWN_WORDS_MIN + 2 ? canonical(passageText(passage)) : own;
}
