import type { GenerateRequest } from "../../ports/language-model.ts";
import { type Amount, amountsOf, comparedIn } from "../../text/amounts.ts";
import { ASKS } from "../../text/asks.ts";
import { splitSentences } from "../../text/sentences.ts";
import { type Term, termsOf } from "../../text/terms.ts";

/** A question, parted by what its answer should hold. */
export interface Asked {
  /** The sentences that ask; all where none is seen to. */
  readonly question: string;
  /** The words of those. */
  readonly own: readonly Term[];
  /** The words of the other sentences, and those that were carried over from the turns before. */
  readonly background: readonly Term[];
  /** Whether it was searched by other words: it goes on from the turns before. */
  readonly goesOn: boolean;
  /** The amounts that it names; where it names none, those of the turns before. */
  readonly amounts: readonly Amount[];
  /** Those that it compares with: 5년 이상. */
  readonly compared: readonly Amount[];
}

export function askedOf({ question, query }: Pick<GenerateRequest, "question" | "query">): Asked {
  const sentences = splitSentences(question).map(({ text }) => text);
  const asking = sentences.filter((sentence) => ASKS.test(sentence));
  const asked = (asking.length > 0 ? asking : sentences).join("\n");
  const words = new Set(termsOf(asked).map(({ word }) => word));
  const terms = termsOf(query);
  const own = terms.filter(({ word }) => words.has(word));
  const isTold = own.length === 0;
  const amounts = amountsOf(question);
  const namesAny = amounts.length > 0 || comparedIn(question).length > 0;
  return {
    question: asked,
    own: isTold ? terms : own,
    background: isTold ? [] : terms.filter(({ word }) => !words.has(word)),
    goesOn: query !== question,
    amounts: namesAny ? amounts : amountsOf(query),
    compared: comparedIn(query),
  };
}
