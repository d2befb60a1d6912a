import { ASKS } from "../text/asks.ts";
import { beginning } from "../text/beginning.ts";
import { splitSentences } from "../text/sentences.ts";
import { termsOf } from "../text/terms.ts";
import type { Entity, Turn } from "../types.ts";
import { referencesIn, shortForm } from "./short-form.ts";

/** Sentences a turn may leave behind. */
const SENTENCES_MAX = 4;
const SENTENCE_CHARACTERS_MAX = 200;
/** Of a turn's question and answer each: whatever was said later in a very long one is found by recall. */
const CHARACTERS_MAX = 4000;
const NAME_TERMS_MAX = 4;
const FIRST_CELL = /^[ \t]*\|([^|\n]{1,60})\|/gm;

/** Of a table, the names of its rows under which it is found again. */
const ROW_NAMES_CHARACTERS_MAX = 300;

/** What readers said themselves is about them. */
export const READER = "reader";
/** Behind the full stop of what they belong to. */
const CITATIONS = /^(?:\[\d+\]|[\s.,])+$/;
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
 * turn; and what bulk they hold. Each under the words that it is about. What is `known`, or said again, is no new fact.
 */
export function factsOf(turns: readonly Turn[], known: readonly Entity[] = []): Entity[] {
  const notes = new Set(known.map(({ note }) => note));
  return turns.flatMap((turn) => {
    const said = [...sayings(turn.question, turn.number, true), ...sayings(turn.answer, turn.number, false)];
    const fresh = said.filter(({ weight, sentence }) => weight > 0 && !notes.has(sentence));
    const strongest = fresh.sort((a, b) => b.weight - a.weight).slice(0, SENTENCES_MAX);
    for (const { sentence } of strongest) notes.add(sentence);
    return [...strongest.map(toEntity), ...bulkOf(turn)];
  });
}

/** A fact as it is quoted and compared: under its name, where what was said does not hold that itself. */
export function statement({ name, note }: Entity): string {
  if (name === READER) return note;
  const said = note.normalize("NFKC").toLowerCase();
  const words = name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/(?:…|\.\.\.)$/, "")
    .split(" ");
  return words.every((word) => said.includes(word)) ? note : `${name}: ${note}`;
}

/** A line a turn: what was asked and how the answer begins. */
export function outlineOf(turns: readonly Turn[]): string[] {
  return turns.map(({ question, answer }) => `${line(question, 120)} → ${line(answer, 120) || "(no answer)"}`);
}

/** The tables, code and quotations of a turn, as references under their kind. */
function bulkOf({ number, question, answer }: Turn): Entity[] {
  const text = `${shortForm(question, number)}\n${shortForm(answer, number)}`;
  const rows = [...answer.matchAll(FIRST_CELL)]
    .map(([, cell = ""]) => cell.trim())
    .filter((cell) => !/^:?-*:?$/.test(cell));
  const names = line(rows.join(", "), ROW_NAMES_CHARACTERS_MAX);
  return referencesIn(text).map(({ kind, reference }) => {
    const note = kind === "table" && names ? `${reference}: ${names}` : reference;
    return { name: kind, note, turn: number };
  });
}

export function line(text: string, charactersMax: number): string {
  const flat = text
    .slice(0, 4 * charactersMax)
    .replace(/\s+/g, " ")
    .trim();
  return flat.length <= charactersMax ? flat : `${beginning(flat, charactersMax - 1)}…`;
}

function sayings(text: string, turn: number, isReaders: boolean): Said[] {
  return splitSentences(text.slice(0, CHARACTERS_MAX)).flatMap(({ text: sentence }) => {
    // A table is recorded as a whole, under its rows' names.
    if (ASKS.test(sentence) || sentence.startsWith("|") || CITATIONS.test(sentence)) return [];
    const weight = (NUMBER.test(sentence) ? 1 : 0) + (NAME.test(sentence) ? 1 : 0) + (isReaders ? 2 : 0);
    return [{ sentence: line(sentence, SENTENCE_CHARACTERS_MAX), turn, isReaders, weight }];
  });
}

function toEntity({ sentence, turn, isReaders }: Said): Entity {
  const words = termsOf(sentence).map(({ word }) => word);
  const name = isReaders ? READER : words.slice(0, NAME_TERMS_MAX).join(" ") || sentence;
  return { name: line(name, 100), note: sentence, turn };
}
