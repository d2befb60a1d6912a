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
  /** The position of the sentence that announces it, which says little without it. */
  readonly announcedAt?: number;
}

const CELLS = / \| /;
const LIST_ITEM = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+/;
const SENTENCE_END = /[.!?。…:）)"'”]$|[다요음함됨임]\.?$/;
/** Of a sentence: that a table, a list or a command stands behind it. */
const ANNOUNCES = /:$|(?:^|\s)(?:다음|아래)(?:의|과|와|에|으로|로|를|을|은|는)?\s|\b(?:following|below|as follows)\b/i;
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
  let announcing: number | undefined;
  for (const block of source.text.split(/\n{2,}/)) {
    const lines = block.split("\n").filter((line) => line.trim() !== "");
    const [first = ""] = lines;
    const announcedAt = announcing;
    announcing = undefined;
    if (lines.length > 1 && lines.every((line) => CELLS.test(line))) {
      for (const row of rows(lines)) add(inOneLine(row), announcedAt);
    } else if (LIST_ITEM.test(first)) {
      for (const line of lines) add(inOneLine(line.replace(LIST_ITEM, "")), announcedAt);
    } else if (announcedAt !== undefined && !SENTENCE_END.test(block.trimEnd())) {
      add(block.trim(), announcedAt);
    } else if (lines.length === 1 && first.length <= 80 && !SENTENCE_END.test(first.trim())) {
      above = `${place} ${first}`;
    } else {
      let last: number | undefined;
      for (const { text } of splitSentences(block)) last = add(inOneLine(text));
      if (ANNOUNCES.test(quotes[last ?? -1]?.text ?? "")) announcing = last;
      above = first.endsWith(":") ? `${place} ${first}` : place;
    }
  }
  return quotes;
}

function inOneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
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
