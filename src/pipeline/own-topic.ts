import { held, type Term, termsOf } from "../text/terms.ts";
import { searchTokens } from "../text/tokens.ts";
import type { Words } from "../text/words.ts";
import type { ScoredPassage } from "../types.ts";
import { stillFits } from "./ahead.ts";
import { refersBack } from "./carry-over.ts";
import type { Rewritten } from "./stages.ts";

/** One common word (신청, awards) names no topic; a compound (연차휴가) or two words do, or one that a title hardly holds more than. */
const OWN_TOKENS_MIN = 2;

/**
 * Whether a question that words were carried over to has a topic of its own, going by what was found with them: passages hold all
 * of its words under titles that name what they are about, and none of these titles names a word that was carried over. Titles say what
 * documents are about: this question is about other ones than the conversation so far. A question that points back never is.
 */
export function hasOwnTopic(asked: string, query: string, found: readonly ScoredPassage[], words: Words): boolean {
  if (!query.endsWith(` ${asked}`) || refersBack(asked)) return false;
  const own = termsOf(asked);
  const ownTokens = new Set(own.flatMap(({ tokens }) => tokens));
  if (ownTokens.size < OWN_TOKENS_MIN) return false;
  const carried = termsOf(query.slice(0, -asked.length - 1));
  const titles = found
    .map(({ passage }) => ({ passage, title: new Set(searchTokens(passage.title)) }))
    .filter(({ title }) => names(title, own) && isAbout(title, ownTokens))
    .filter(({ passage }) => own.every((term) => held(term, words.ofPassage(passage)) === 1))
    .map(({ title }) => title);
  return titles.length > 0 && !titles.some((title) => names(title, carried));
}

function isAbout(title: ReadonlySet<string>, tokens: ReadonlySet<string>): boolean {
  const shared = [...tokens].filter((token) => title.has(token)).length;
  return shared >= OWN_TOKENS_MIN || 2 * shared >= title.size;
}

function names(title: ReadonlySet<string>, terms: readonly Term[]): boolean {
  return terms.some((term) => held(term, title) === 1);
}

/**
 * Searches for a rewritten question. What the search of the question as it was asked found stands where that would do; where rules
 * carried words over to a question with a topic of its own, it is searched for as it was asked. `query` is what found the result.
 */
export async function searchRewritten<T extends { readonly found: readonly ScoredPassage[] }>(
  asked: string,
  { query, standalone }: Rewritten,
  words: Words,
  find: (query: string) => Promise<T>,
  ahead: Promise<T | null> | null,
): Promise<T & { readonly query: string }> {
  const result = (await stillFits(ahead, asked, query, words)) ?? (await find(query));
  if (standalone || !hasOwnTopic(asked, query, result.found, words)) return { ...result, query };
  return { ...((await ahead) ?? (await find(asked))), query: asked };
}
