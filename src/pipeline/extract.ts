import { splitSentences } from "../text/sentences.ts";
import { termsOf } from "../text/terms.ts";
import type { Entity, Turn } from "../types.ts";
import { referencesIn, shortForm } from "./short-form.ts";

/** Sentences a turn may leave behind. */
const SENTENCES_MAX = 3;
const SENTENCE_CHARACTERS_MAX = 200;
/** Of a turn's question and answer each: whatever was said later in a very long one is found by recall. */
const CHARACTERS_MAX = 4000;
const NAME_TERMS_MAX = 4;

/** A question or a request states nothing. */
/** What readers said themselves is about them. */
export const READER = "reader";
const ASKS =
  /[?？]\s*$|(?:주세요|줘|주십시오|할까요|인가요|나요)[.!]?\s*$|^(?:please|tell|show|give|explain|what|who|when|where|why|how)\b/iu;
const NUMBER = /\p{Nd}/u;
const NAME = /(?<=[\p{Ll},;:]\s)\p{Lu}[\p{L}\p{N}-]+|["“‘「'][^"”’」']{2,40}["”’」']/u;

interface Said {
  readonly sentence: string;
  readonly turn: number;
  readonly isReaders: boolean;
  /** 2 where the reader said it, 1 for numbers, 1 for names. */
  readonly weight: number;
}

/**
 * The facts that turns state, without a model: what the reader told, and sentences of the answers that hold numbers or names; a few a
 * turn; and what bulk they hold. Each under the words that it is about.
 */
export function factsOf(turns: readonly Turn[]): Entity[] {
  return turns.flatMap((turn) => {
    const said = [...sayings(turn.question, turn.number, true), ...sayings(turn.answer, turn.number, false)];
    const strongest = said.filter(({ weight }) => weight > 0).sort((a, b) => b.weight - a.weight);
    return [...strongest.slice(0, SENTENCES_MAX).map(toEntity), ...bulkOf(turn)];
  });
}

/** A line a turn: what was asked and how the answer begins. */
export function outlineOf(turns: readonly Turn[]): string[] {
  return turns.map(({ question, answer }) => `${line(question, 120)} → ${line(answer, 120) || "(no answer)"}`);
}

/** The tables, code and quotations of a turn, as references under their kind. */
function bulkOf({ number, question, answer }: Turn): Entity[] {
  const text = `${shortForm(question, number)}\n${shortForm(answer, number)}`;
  return referencesIn(text).map(({ kind, reference }) => ({ name: kind, note: reference, turn: number }));
}

export function line(text: string, charactersMax: number): string {
  const flat = text
    .slice(0, 4 * charactersMax)
    .replace(/\s+/g, " ")
    .trim();
  return flat.length <= charactersMax ? flat : `${flat.slice(0, charactersMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

function sayings(text: string, turn: number, isReaders: boolean): Said[] {
  return splitSentences(text.slice(0, CHARACTERS_MAX)).flatMap(({ text: sentence }) => {
    if (ASKS.test(sentence)) return [];
    const weight = (NUMBER.test(sentence) ? 1 : 0) + (NAME.test(sentence) ? 1 : 0) + (isReaders ? 2 : 0);
    return [{ sentence: line(sentence, SENTENCE_CHARACTERS_MAX), turn, isReaders, weight }];
  });
}

function toEntity({ sentence, turn, isReaders }: Said): Entity {
  const words = termsOf(sentence).map(({ word }) => word);
  const name = isReaders ? READER : words.slice(0, NAME_TERMS_MAX).join(" ") || sentence;
  return { name: line(name, 100), note: sentence, turn };
}
