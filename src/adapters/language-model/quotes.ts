import { sum } from "../../statistics.ts";
import { splitSentences } from "../../text/sentences.ts";
import type { Source } from "../../types.ts";

/** Something that can be quoted by itself: a sentence, a list item, a table row with its column names, a command. */
export interface Quote {
  readonly source: Source;
  readonly text: string;
  /** What stands above it: title, headings, a list's opening line. */
  readonly above: string;
  /** Counted from the passage's start. */
  readonly position: number;
  /** The position of the sentence that announces it, or asks for it, and says little without it. */
  readonly announcedAt?: number;
  /** Of a row or an item: the position of its table's or list's first. */
  readonly listAt?: number;
  /** Of a table. */
  readonly isRow?: true;
}

type InList = Pick<Quote, "listAt" | "isRow">;

const CELLS = / \| /;
/** What is said below a table. */
const NOTE = /^\s*[※*]/;
const FIELD = /\p{L}[)\]]?\s?[:：]\s+\S/u;
const NAMED = /^\s*(?:[○●□■▪◦·-]\s*)?\p{L}[^:：]{0,15}[:：]\s*\S/u;
const MARKED = /^\s*(?:[■□◆◇▶►●◎☞]|[[【<〈])/;
const RECORD_LENGTH_MAX = 300;
const LIST_ITEM = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+/;
const SENTENCE_END = /[.!?。…:）)"'”]$|[다요음함됨임]\.?$/;
/** Behind what announces it, a block that ends in another way is a command or a file. */
const PROSE_END = /[\p{L}\p{N}][.!?。…]["'”’)）]?$|[다요음함됨임]$/u;
/** Of a sentence: that a table, a list or a command stands behind it. */
const ANNOUNCES = new RegExp(
  [
    ":$",
    String.raw`(?:^|\s)(?:다음|아래)(?:[과와]\s*같|(?:으로|로)\s)`,
    String.raw`(?:^|\s)(?:다음|아래)[의에]?\s+(?:표|명령|목록|각|순서|절차|파일|항목|방법|예시|코드|스크립트|설정|내용|기준|조건|서류)`,
    String.raw`\bas follows\b`,
    String.raw`\bfollowing\s+(?!(?:day|week|month|quarter|year)s?\b)`,
    String.raw`\b(?:table|list|command|steps?|see|shown|listed) below\b`,
  ].join("|"),
  "i",
);
const ASKS = /[?？]$/;
const CHARACTERS_MAX = 600;

/** The quotable pieces of a passage, in order. */
export function quotesOf(source: Source): Quote[] {
  const reading = new Reading(source);
  for (const block of source.text.split(/\n{2,}/)) {
    const lines = block.split("\n").filter((line) => line.trim() !== "");
    if (isTable(lines)) reading.addTable(lines);
    else if (lines.length > 0) reading.addText(lines);
  }
  return reading.quotes;
}

/** Rows, or rows with lines among them, where the head tells them from commands that pipe. */
function isTable(lines: readonly string[]): boolean {
  const rows = lines.filter((line) => CELLS.test(line));
  if (rows.length < 2) return false;
  return rows.length === lines.length || cellsOf(lines[0] ?? "").length > 2;
}

/** A passage as far as it is read. */
class Reading {
  readonly quotes: Quote[] = [];
  readonly #source: Source;
  readonly #place: string;
  #above: string;
  /** The position of the last sentence, where it announces or asks for what comes next. */
  #announcing: number | undefined;

  constructor(source: Source) {
    this.#source = source;
    this.#place = [source.title, ...source.headings].join(" ");
    this.#above = this.#place;
  }

  /** Rows, and lines that stand among them. */
  addTable(lines: readonly string[]): void {
    const [first = "", ...others] = lines.filter((line) => CELLS.test(line));
    const names = cellsOf(first);
    const rows = others.map(cellsOf);
    const head = isLikeOthers(names, rows) ? null : first;
    const table = { names: head === null ? [] : names, rows };
    const announcedAt = this.#announcing;
    const place = { listAt: this.quotes.length, isRow: true } as const;
    for (const run of runs(lines, CELLS)) {
      if (!CELLS.test(run[0] as string)) {
        this.addText(run);
        continue;
      }
      for (const line of run)
        if (line !== head) this.#add(asSaid(cellsOf(line), table), this.#announcing ?? announcedAt, place);
    }
    this.#announcing = undefined;
  }

  /** A list, a paragraph, a heading, or what was announced. */
  addText(lines: readonly string[]): void {
    const [first = ""] = lines;
    const text = lines.join("\n");
    const announcedAt = this.#announcing;
    const isAsked = announcedAt !== undefined && ASKS.test(this.quotes[announcedAt]?.text ?? "");
    this.#announcing = undefined;
    if (LIST_ITEM.test(first)) {
      const place = { listAt: this.quotes.length };
      for (const line of lines) this.#add(line.replace(LIST_ITEM, ""), announcedAt, place);
    } else if (announcedAt !== undefined && !isAsked && !PROSE_END.test(text.trim())) {
      for (const part of parts(lines)) this.#push(part, announcedAt);
    } else if (lines.length === 1 && isHeading(first)) {
      this.#above = `${this.#place} ${first}`;
    } else if (isRecord(lines)) {
      this.#push(lines.map((line) => line.trim()).join("\n"), announcedAt);
    } else {
      const last = this.#addSentences(lines, announcedAt);
      const said = this.quotes[last ?? -1]?.text ?? "";
      if (ANNOUNCES.test(said) || ASKS.test(said)) this.#announcing = last;
      this.#above = first.endsWith(":") ? `${this.#place} ${first}` : this.#place;
    }
  }

  /** Returns the position of the last. */
  #addSentences(lines: readonly string[], announcedAt: number | undefined): number | undefined {
    let asking = announcedAt;
    let asked: string | undefined;
    let replies = 0;
    let last: number | undefined;
    if (isHead(lines)) {
      const [head = "", ...below] = lines;
      return this.#addSentences(below, this.#add(head, announcedAt));
    }
    for (const line of lines) {
      // In a log of who said what, one line replies.
      if (asked !== undefined && asked === entryOf(line) && ++replies > 1) asking = asked = undefined;
      for (const sentence of splitSentences(line)) {
        const isQuestion = ASKS.test(sentence.text);
        last = this.#add(sentence.text, isQuestion ? undefined : asking);
        if (!isQuestion) continue;
        asking = last;
        asked = entryOf(line);
        replies = 0;
      }
    }
    return last;
  }

  #add(text: string, announcedAt: number | undefined, place?: InList): number | undefined {
    return this.#push(text.replace(/\s+/g, " ").trim(), announcedAt, place);
  }

  #push(text: string, announcedAt: number | undefined, place?: InList): number | undefined {
    if (text === "" || text.length > CHARACTERS_MAX) return undefined;
    const position = this.quotes.length;
    const announced = announcedAt !== undefined && { announcedAt };
    this.quotes.push({ source: this.#source, text, above: this.#above, position, ...announced, ...place });
    return position;
  }
}

/** Whether a line that stands alone says what follows, rather than something of its own, as a field does: `연락처: 1234`. */
function isHeading(line: string): boolean {
  return line.length <= 80 && !SENTENCE_END.test(line.trim()) && !NOTE.test(line) && !FIELD.test(line);
}

/** Whether lines name what they say, one below another, perhaps under a line that says of what: they are one thing. */
function isRecord(lines: readonly string[]): boolean {
  const fields = lines.filter((line) => NAMED.test(line)).length;
  const length = sum(lines.map((line) => line.length));
  return fields > 1 && fields >= lines.length - (NAMED.test(lines[0] ?? "") ? 0 : 1) && length <= RECORD_LENGTH_MAX;
}

/** Whether the first line says of what the others are: these stand further to the right, or it is marked. */
function isHead([first = "", second]: readonly string[]): boolean {
  if (second === undefined || !isHeading(first) || (entryOf(first) ?? "") === entryOf(second)) return false;
  return MARKED.test(first) || indentOf(second) > indentOf(first);
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** How a line begins that others of its kind begin like: `[가] [가 0:0]`; absent where it begins with a word. */
function entryOf(line: string): string | undefined {
  const first = /^\S+/.exec(line)?.[0] ?? "";
  return /^\p{L}*$/u.test(first) ? undefined : first.replace(/\d+/g, "0").replace(/\p{L}+/gu, "a");
}

/** Parts lines that match from those that do not. */
function runs(lines: readonly string[], pattern: RegExp): string[][] {
  const all: string[][] = [];
  for (const line of lines) {
    const last = all.at(-1);
    if (last && pattern.test(last[0] as string) === pattern.test(line)) last.push(line);
    else all.push([line]);
  }
  return all;
}

/** Lines together, as many as a quote may hold. */
function parts(lines: readonly string[]): string[] {
  const all: string[] = [];
  for (const line of lines) {
    const last = all.at(-1);
    const joined = `${last}\n${line}`;
    if (last !== undefined && joined.length <= CHARACTERS_MAX) all[all.length - 1] = joined;
    else all.push(line);
  }
  return all;
}

const UNIT = /\d\s?([\p{L}%]+)$/u;

/** Parts of a date, a telephone number and the like. */
const PARTS = /\d\s?[-.:/]\s?\d/;

/** Whether the first line of a table is a row like the others, which hold a number of the same unit or form in the same column. */
function isLikeOthers(first: readonly string[], others: readonly (readonly string[])[]): boolean {
  return first.some((cell, column) => {
    const form = formOf(cell);
    return form !== undefined && others.length > 0 && others.every((row) => formOf(row[column] ?? "") === form);
  });
}

function formOf(cell: string): string | undefined {
  return UNIT.exec(cell)?.[1] ?? (PARTS.test(cell) ? cell.replace(/\d+/g, "0") : undefined);
}

interface Table {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A table's row as `column: cell, …`, so that it makes sense alone; just its cells where it is not known whose they are. */
function asSaid(cells: readonly string[], { names, rows }: Table): string {
  const isWhole =
    cells.length === names.length || rows.some((row) => row.length === names.length && endsEarly(cells, row));
  if (!isWhole) return cells.join(", ");
  const said = cells.map((cell, column) => (names[column] && cell ? `${names[column]}: ${cell}` : cell));
  return said.filter((cell) => cell !== "").join(", ");
}

/** Whether the last columns are what a row of fewer cells lacks: it has numbers where a whole one has, and nowhere else. */
function endsEarly(cells: readonly string[], whole: readonly string[]): boolean {
  return (
    cells.length < whole.length && cells.every((cell, column) => /\d/.test(cell) === /\d/.test(whole[column] ?? ""))
  );
}

function cellsOf(line: string): string[] {
  return line.split(CELLS).map((cell) => cell.trim());
}
