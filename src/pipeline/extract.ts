import { splitSentences } from "../text/sentences.ts";
import { termsOf } from "../text/terms.ts";
import type { Entity, Turn } from "../types.ts";

/** Sentences a turn may leave behind. */
const SENTENCES_MAX = 3;
const SENTENCE_CHARACTERS_MAX = 240;
/** Of a turn's question and answer each: whatever was said later in a very long one is found by recall. */
const CHARACTERS_MAX = 4000;
const NAME_TERMS_MAX = 4;

const FIRST_PERSON =
  /\b(?:my|mine|i|i'm|i've|we|our|remember|call me|note that)\b|(?:^|\s)(?:제|내|저|나|저희|우리)(?:가|는|의|도)?\s|기억|참고로/iu;
const NUMBER = /\p{Nd}/u;
const NAME = /(?<=[\p{Ll},;:]\s)\p{Lu}[\p{L}\p{N}-]+|["“‘「'][^"”’」']{2,40}["”’」']/u;

interface Said {
  readonly sentence: string;
  readonly turn: number;
  /** 0 to 3: about the reader, numbers, names. */
  readonly weight: number;
}

/**
 * The facts that turns state, without a model: the sentences that speak of the reader, or hold numbers or names. Questions state
 * nothing. In order; each under the words that it is about.
 */
export function factsOf(turns: readonly Turn[]): Entity[] {
  return turns.flatMap((turn) => {
    const said = [...sayings(turn.question, turn.number, 1), ...sayings(turn.answer, turn.number, 0)];
    const strongest = said.filter(({ weight }) => weight > 0).sort((a, b) => b.weight - a.weight);
    return strongest.slice(0, SENTENCES_MAX).map(toEntity);
  });
}

/** A line a turn: what was asked and how the answer begins. */
export function outlineOf(turns: readonly Turn[]): string[] {
  return turns.map(({ question, answer }) => `${line(question, 120)} → ${line(answer, 120) || "(no answer)"}`);
}

export function line(text: string, charactersMax: number): string {
  const flat = text
    .slice(0, 4 * charactersMax)
    .replace(/\s+/g, " ")
    .trim();
  return flat.length <= charactersMax ? flat : `${flat.slice(0, charactersMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

function sayings(text: string, turn: number, own: number): Said[] {
  return splitSentences(text.slice(0, CHARACTERS_MAX)).flatMap(({ text: sentence }) => {
    if (/[?？]\s*$/.test(sentence)) return [];
    const about = own > 0 && FIRST_PERSON.test(sentence) ? 1 : 0;
    const weight = about + (NUMBER.test(sentence) ? 1 : 0) + (NAME.test(sentence) ? 1 : 0);
    return [{ sentence: line(sentence, SENTENCE_CHARACTERS_MAX), turn, weight: weight === 0 ? 0 : weight + own }];
  });
}

function toEntity({ sentence, turn }: Said): Entity {
  const words = termsOf(sentence).map(({ word }) => word);
  return { name: line(words.slice(0, NAME_TERMS_MAX).join(" ") || sentence, 100), note: sentence, turn };
}
