import { splitSentences } from "../../text/sentences.ts";
import type { Source } from "../../types.ts";

/** Something that can be quoted by itself: a sentence, a list item, a table row with its column names. */
export interface Quote {
  readonly source: Source;
  readonly text: string;
  /** What stands above it: title, headings, a list's opening line. */
  readonly above: string;
  /** Counted from the passage's start. */
  readonly position: number;
}

const CELLS = / \| /;
const LIST_ITEM = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+/;
const SENTENCE_END = /[.!?。…:）)"'”]$|[다요음함됨임]\.?$/;
const CHARACTERS_MAX = 600;

/** The quotable pieces of a passage, in order. */
export function quotesOf(source: Source): Quote[] {
  const quotes: Quote[] = [];
  const place = [source.title, ...source.headings].join(" ");
  let above = place;
  const add = (text: string) => {
    const clean = text.replace(/\s+/g, " ").trim();
    if (clean && clean.length <= CHARACTERS_MAX) quotes.push({ source, text: clean, above, position: quotes.length });
  };
  for (const block of source.text.split(/\n{2,}/)) {
    const lines = block.split("\n").filter((line) => line.trim() !== "");
    const [first = ""] = lines;
    if (lines.length > 1 && lines.every((line) => CELLS.test(line))) {
      for (const row of rows(lines)) add(row);
    } else if (LIST_ITEM.test(first)) {
      for (const line of lines) add(line.replace(LIST_ITEM, ""));
    } else if (lines.length === 1 && first.length <= 80 && !SENTENCE_END.test(first.trim())) {
      above = `${place} ${first}`;
    } else {
      for (const { text } of splitSentences(block)) add(text);
      above = first.endsWith(":") ? `${place} ${first}` : place;
    }
  }
  return quotes;
}

/** A table's rows as `column: cell, …`, so that each makes sense alone. */
function rows(lines: readonly string[]): string[] {
  const [head = "", ...body] = lines;
  const names = head.split(CELLS).map((name) => name.trim());
  return body.map((line) => {
    const cells = line.split(CELLS).map((cell) => cell.trim());
    return cells.map((cell, column) => (names[column] ? `${names[column]}: ${cell}` : cell)).join(", ");
  });
}
