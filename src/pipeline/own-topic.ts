import { held, type Term, termsOf } from "../text/terms.ts";
import { searchTokens } from "../text/tokens.ts";
import type { Words } from "../text/words.ts";
import type { ScoredPassage } from "../types.ts";
import { stillFits } from "./ahead.ts";
import { refersBackForCertain } from "./points-back.ts";
import type { Rewritten } from "./stages.ts";

/** One common word (신청, awards) names no topic; a compound (연차휴가) or two words do, or one that a title hardly holds more than. */
const OWN_TOKENS_MIN = 2;
/** Of a question's search tokens, what its best passage holds where that is about it. */
const HELD_MIN = 0.5;
/**
 * Of the best score, what passages about the conversation's words reach at most where a question is about something else. This and
 * the above were chosen on half of three sets (KorQuAD, Korean law and mtrag/clapnq) and held on the other half.
 */
const RELATED_MAX = 0.5;

/** What a search by words alone found. */
export interface FoundByText {
  /** Best first. */
  readonly hits: readonly ScoredPassage[];
  /** Whether no other passage holds a word. */
  readonly isAll: boolean;
}

/** What was found for a question that words were carried over to: with them, and without them. */
export interface Evidence {
  readonly together: readonly ScoredPassage[];
  readonly alone: FoundByText;
}

const NOTHING: FoundByText = { hits: [], isAll: true };

/** Whether it takes evidence to tell if a rewritten question has a topic of its own. One that points back never has. */
function mayHaveOwnTopic(asked: string, query: string): boolean {
  if (!query.endsWith(` ${asked}`) || refersBackForCertain(asked)) return false;
  return new Set(termsOf(asked).flatMap(({ tokens }) => tokens)).size >= OWN_TOKENS_MIN;
}

/** Whether a question that words were carried over to has a topic of its own, going by what was found. */
export function hasOwnTopic(asked: string, query: string, { together, alone }: Evidence, words: Words): boolean {
  if (!mayHaveOwnTopic(asked, query)) return false;
  const own = termsOf(asked);
  const carried = termsOf(query.slice(0, -asked.length - 1));
  return titlesTell(own, carried, together, words) || scoresTell(own, carried, alone, words);
}

/**
 * Titles say what documents are about: passages hold all of the question's words under titles that name what they are about, and
 * none of these titles names a word that was carried over.
 */
function titlesTell(
  own: readonly Term[],
  carried: readonly Term[],
  together: readonly ScoredPassage[],
  words: Words,
): boolean {
  const ownTokens = new Set(own.flatMap(({ tokens }) => tokens));
  const titles = together
    .map(({ passage }) => ({ passage, title: new Set(searchTokens(passage.title)) }))
    .filter(({ title }) => names(title, own) && isAbout(title, ownTokens))
    .filter(({ passage }) => own.every((term) => held(term, words.ofPassage(passage)) === 1))
    .map(({ title }) => title);
  return titles.length > 0 && !titles.some((title) => names(title, carried));
}

/** The best passage for the question by itself holds its words, and scores far above those that are about what was carried over. */
function scoresTell(
  own: readonly Term[],
  carried: readonly Term[],
  { hits, isAll }: FoundByText,
  words: Words,
): boolean {
  const [best, last] = [hits[0], hits.at(-1)];
  if (!best || !last || heldOf(own, words.ofPassage(best.passage)) < HELD_MIN) return false;
  const isRelated = ({ passage }: ScoredPassage) => {
    const tokens = words.ofPassage(passage);
    return 2 * carried.filter((term) => held(term, tokens) === 1).length >= carried.length;
  };
  const others = isAll ? 0 : last.score;
  return (hits.find(isRelated)?.score ?? others) < RELATED_MAX * best.score;
}

/** How much of the terms' search tokens a text holds: 0 to 1. */
function heldOf(terms: readonly Term[], tokens: ReadonlySet<string>): number {
  const all = terms.reduce((sum, term) => sum + term.tokens.length, 0);
  return terms.reduce((sum, term) => sum + held(term, tokens) * term.tokens.length, 0) / all;
}

function isAbout(title: ReadonlySet<string>, tokens: ReadonlySet<string>): boolean {
  const shared = [...tokens].filter((token) => title.has(token)).length;
  return shared >= OWN_TOKENS_MIN || 2 * shared >= title.size;
}

function names(title: ReadonlySet<string>, terms: readonly Term[]): boolean {
  return terms.some((term) => held(term, title) === 1);
}

/** A question as it was asked. */
export interface AsAsked {
  readonly query: string;
  byText(): Promise<FoundByText>;
}

/**
 * Searches for a rewritten question. What the search of the question as it was asked found stands where that would do; where rules
 * carried words over to a question with a topic of its own, it is searched for as it was asked. `query` is what found the result.
 */
export async function searchRewritten<T extends { readonly found: readonly ScoredPassage[] }>(
  asIs: AsAsked,
  { query, standalone }: Rewritten,
  words: Words,
  find: (query: string) => Promise<T>,
  ahead: Promise<T | null> | null,
): Promise<T & { readonly query: string }> {
  const asked = asIs.query;
  const isOpen = !standalone && mayHaveOwnTopic(asked, query);
  const [result, alone] = await Promise.all([
    stillFits(ahead, asked, query, words).then((early) => early ?? find(query)),
    isOpen ? asIs.byText().catch(() => NOTHING) : NOTHING,
  ]);
  if (!isOpen || !hasOwnTopic(asked, query, { together: result.found, alone }, words)) return { ...result, query };
  return { ...((await ahead) ?? (await find(asked))), query: asked };
}
