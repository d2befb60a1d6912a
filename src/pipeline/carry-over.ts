import { sum } from "../statistics.ts";
import { type Term, termsOf } from "../text/terms.ts";
import { searchTokens } from "../text/tokens.ts";
import { corrected } from "./correction.ts";
import { beyondThanks, contrasts, meansThere, pointsBack, refersBackForCertain, standsAlone } from "./points-back.ts";

export interface Exchange {
  readonly question: string;
  /** What was searched for; empty: unknown. */
  readonly query: string;
  readonly answer: string;
}

const HANGUL = /\p{sc=Hangul}/u;

/**
 * Terms carried over. An English word is one search token, a Korean one several, so that the question outweighs more of them. This and
 * the constants below were chosen on half of the conversations of two sets (mtrag/clapnq and Korean law) and held on the other half.
 */
const CARRIED_MAX = { korean: 3, other: 2 };
/** What a turn's words lose for every later turn; those of the question that began the topic lose nothing. */
const DECAY = 0.5;
/** Of the strongest term's weight; weaker ones are chance words. */
const WEIGHT_SHARE_MIN = 0.3;
/** Characters of a question or an answer that are read: what it is about stands at its beginning. */
const CHARACTERS_MAX = 2000;
/** Words of a question that are weighed. */
const TERMS_MAX = 32;
/** Turns looked at. */
const TURNS_MAX = 8;

/** A turn, or the question that is asked. */
interface Turn {
  /** Without what it replaces. */
  readonly asked: string;
  readonly replaced: readonly Term[];
  readonly query: string;
  readonly answer: string;
}

/** Whether a turn began a topic: its question stood alone, or was searched for as it was asked though words could have been carried over. */
function beganTopic({ asked, query, answer }: Turn): boolean {
  return standsAlone(asked) || (query === asked && answer !== "" && !refersBackForCertain(asked));
}

/**
 * A follow-up with the conversation's most salient terms before it; turns that only acknowledge say nothing. A term is salient
 * where the reader used it and answers took it up: its weight is Σ over turns, from the one that began the topic on, of decay ×
 * (1 for the question + 1 for the answer). One that takes another's place (런던 in "그럼 런던은?", of 뉴욕) has that one's weight, too.
 * What the follow-up itself replaces ("연차 말고 …") is left out of it.
 */
export function carryOver(question: string, turns: readonly Exchange[]): string {
  const recent = turns
    .filter(({ question }) => beyondThanks(begun(question)) !== "")
    .slice(-TURNS_MAX)
    .map((turn) => ({ ...corrected(begun(turn.question)), query: begun(turn.query), answer: begun(turn.answer) }));
  const topic = Math.max(0, recent.findLastIndex(beganTopic));
  const { asked, replaced } = corrected(question);
  const said = new Set([...searchTokens(asked), ...termsOf(asked).flatMap(({ tokens }) => tokens)]);
  const last = { asked: begun(asked), replaced };
  const weighed = weigh(recent.slice(topic), last).filter(({ term }) => !term.tokens.every((token) => said.has(token)));
  weighed.sort((a, b) => b.weight - a.weight);
  const floor = (weighed[0]?.weight ?? 0) * WEIGHT_SHARE_MIN;
  const carried = weighed
    .filter(({ weight }) => weight >= floor)
    .slice(0, HANGUL.test(question) ? CARRIED_MAX.korean : CARRIED_MAX.other)
    .sort((a, b) => a.turn - b.turn);
  return [...carried.map(({ term }) => term.written), asked].join(" ");
}

interface Weighed {
  readonly term: Term;
  /** The turn that brought it up, or what it took the place of. */
  readonly turn: number;
  readonly weight: number;
}

/** What a question or an answer says. */
interface Said {
  /** What its words count. */
  readonly weight: number;
  readonly tokens: ReadonlySet<string>;
  readonly inOrder: readonly string[];
}

/** By a term's key: in how many texts which terms are said right behind it. */
type Followers = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** The terms of turns, without those whose place another has taken since, which may be the last question's. */
function weigh(turns: readonly Turn[], last: Pick<Turn, "asked" | "replaced">): Weighed[] {
  const said = turns.flatMap((turn, i) => {
    const weight = i === 0 ? 1 : DECAY ** (turns.length - 1 - i);
    return [turn.asked, turn.answer].map((text) => saidIn(text, weight));
  });
  const there = meansThere(last.asked) ? turns.findLastIndex((before) => contrasts(before.asked)) : -1;
  const questions = [...turns, last].map(({ asked, replaced }) => ({ asked, replaced, own: weighable(asked) }));
  const followers = followersOf(
    questions.flatMap(({ own }) => own),
    said,
  );
  const terms = new Map<string, Weighed>();
  for (const [turn, { asked, replaced, own }] of questions.entries()) {
    const keys = new Set(own.map(keyOf));
    const taken = [...terms.values()].filter(({ term }) => !keys.has(keyOf(term)) && isAmong(term, replaced));
    for (const { term } of taken) terms.delete(keyOf(term));
    const earlier = [...terms.values()];
    const others = contrasts(asked) ? earlier.filter((one) => !keys.has(keyOf(one.term))) : [];
    const more = turn === there ? Math.max(0, ...earlier.map(({ weight }) => weight)) : 0;
    for (const term of own.filter((candidate) => !terms.has(keyOf(candidate)))) {
      const before = taken.shift() ?? replacedBy(term, others, earlier, followers);
      if (before) terms.delete(keyOf(before.term));
      const saying = said.filter(({ tokens }) => term.tokens.every((token) => tokens.has(token)));
      const weight = sum(saying.map((one) => one.weight));
      terms.set(keyOf(term), { term, turn: before?.turn ?? turn, weight: weight + (before?.weight ?? more) });
    }
  }
  return [...terms.values()];
}

/** Whether a term is one of others, or made up of one: 연차휴가 where 연차 is replaced. */
function isAmong({ tokens }: Term, others: readonly Term[]): boolean {
  return others.some((other) => other.tokens.every((token) => tokens.includes(token)));
}

function weighable(question: string): Term[] {
  return termsOf(question)
    .filter(({ word }) => !pointsBack(word))
    .slice(0, TERMS_MAX);
}

function begun(text: string): string {
  return text.slice(0, CHARACTERS_MAX);
}

function saidIn(text: string, weight: number): Said {
  const tokens = searchTokens(text);
  return { weight, tokens: new Set(tokens), inOrder: tokens };
}

function keyOf({ tokens }: Term): string {
  return tokens.join(" ");
}

function followersOf(terms: readonly Term[], said: readonly Said[]): Followers {
  const byFirst = Map.groupBy(new Map(terms.map((term) => [keyOf(term), term])).values(), ({ tokens }) => tokens[0]);
  const followers = new Map<string, Map<string, number>>();
  for (const { inOrder } of said) {
    const beginning = inOrder.map((first, at) =>
      (byFirst.get(first) ?? []).filter(({ tokens }) => tokens.every((token, i) => inOrder[at + i] === token)),
    );
    const inText = new Map<string, Set<string>>();
    for (const [at, begun] of beginning.entries()) {
      for (const term of begun) {
        const heads = inText.get(keyOf(term)) ?? new Set();
        for (const head of beginning[at + term.tokens.length] ?? []) heads.add(keyOf(head));
        inText.set(keyOf(term), heads);
      }
    }
    for (const [term, heads] of inText) {
      const counts = followers.get(term) ?? new Map<string, number>();
      for (const head of heads) counts.set(head, (counts.get(head) ?? 0) + 1);
      followers.set(term, counts);
    }
  }
  return followers;
}

/**
 * Which of others a term takes the place of: it differs from it in its number alone, as 2024년 from 2025년, or both are said right before
 * the same word, as in "뉴욕 숙박비" and "런던 숙박비".
 */
function replacedBy(
  term: Term,
  others: readonly Weighed[],
  earlier: readonly Weighed[],
  followers: Followers,
): Weighed | undefined {
  const numbered = others.findLast((other) => isNumbered(term) && kindOf(other.term) === kindOf(term));
  if (numbered) return numbered;
  const behind = followers.get(keyOf(term));
  const heads = new Set(earlier.map((one) => keyOf(one.term)).filter((key) => behind?.has(key)));
  const likenessOf = (other: Term) =>
    sum([...(followers.get(keyOf(other)) ?? [])].map(([head, texts]) => (heads.has(head) ? texts : 0)));
  const [best] = others
    .map((other) => ({ other, likeness: likenessOf(other.term) }))
    .filter(({ likeness }) => likeness > 0)
    .sort((a, b) => b.likeness - a.likeness);
  return best?.other;
}

function isNumbered({ word }: Term): boolean {
  return /\p{Nd}/u.test(word);
}

/** 2024년 and 2025년, E99 and E100 are alike; 404 and 2024 are not. */
function kindOf({ word }: Term): string {
  return /\p{L}/u.test(word) ? word.replace(/\p{Nd}+/gu, "0") : word.replace(/\p{Nd}/gu, "0");
}
