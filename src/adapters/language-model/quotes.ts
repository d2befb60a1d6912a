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
}

const CELLS = / \| /;
/** What is said below a table. */
const NOTE = /^\s*[※*]/;
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
  const quotes: Quote[] = [];
  const place = [source.title, ...source.headings].join(" ");
  let above = place;
  const add = (text: string, announcedAt?: number) => {
    if (text === "" || text.length > CHARACTERS_MAX) return undefined;
    const position = quotes.length;
    quotes.push({ source, text, above, position, ...(announcedAt !== undefined && { announcedAt }) });
    return position;
  };
  /** Returns the position of the last sentence. */
  const addProse = (block: string, announcedAt: number | undefined) => {
    let asking = announcedAt;
    let last: number | undefined;
    for (const { text } of splitSentences(block)) {
      const isQuestion = ASKS.test(text.trim());
      last = add(inOneLine(text), isQuestion ? undefined : asking);
      if (isQuestion) asking = last;
    }
    return last;
  };
  let announcing: number | undefined;
  const addText = (lines: readonly string[]) => {
    const [first = ""] = lines;
    const text = lines.join("\n");
    const announcedAt = announcing;
    announcing = undefined;
    if (LIST_ITEM.test(first)) {
      for (const line of lines) add(inOneLine(line.replace(LIST_ITEM, "")), announcedAt);
    } else if (
      announcedAt !== undefined &&
      !ASKS.test(quotes[announcedAt]?.text ?? "") &&
      !PROSE_END.test(text.trim())
    ) {
      for (const part of parts(lines)) add(part, announcedAt);
    } else if (lines.length === 1 && first.length <= 80 && !SENTENCE_END.test(first.trim()) && !NOTE.test(first)) {
      above = `${place} ${first}`;
    } else {
      const last = addProse(text, announcedAt);
      const said = quotes[last ?? -1]?.text ?? "";
      if (ANNOUNCES.test(said) || ASKS.test(said)) announcing = last;
      above = first.endsWith(":") ? `${place} ${first}` : place;
    }
  };
  for (const block of source.text.split(/\n{2,}/)) {
    const lines = block.split("\n").filter((line) => line.trim() !== "");
    const [head = "", ...rows] = lines.filter((line) => CELLS.test(line));
    if (lines.length > 0 && rows.length === 0) addText(lines);
    if (rows.length === 0) continue;
    const announcedAt = announcing;
    for (const run of runs(lines, CELLS)) {
      if (!CELLS.test(run[0] as string)) addText(run);
      else for (const line of run) if (line !== head) add(inOneLine(asSaid(line, head)), announcing ?? announcedAt);
    }
    announcing = undefined;
  }
  return quotes;
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

function inOneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
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

/** A table's row as `column: cell, …`, so that it makes sense alone; of one with more or fewer cells than the head nobody knows whose they are. */
function asSaid(line: string, head: string): string {
  const [cells, names] = [line, head].map((one) => one.split(CELLS).map((cell) => cell.trim())) as [string[], string[]];
  if (cells.length !== names.length) return cells.join(", ");
  return cells.map((cell, column) => (names[column] ? `${names[column]}: ${cell}` : cell)).join(", ");
}
