import type { Block, ParsedText } from "./document.ts";
import { withoutMargins } from "./text-pages.ts";
import { tableAt } from "./text-tables.ts";
import { unwrapped } from "./text-wraps.ts";

type Part =
  | { readonly kind: "table" | "text"; readonly lines: readonly string[] }
  | { readonly kind: "heading"; readonly depth: number; readonly text: string };

/** What stands below a heading, in signs of one kind: `=====`. */
const UNDERLINE = /^\s*(={3,}|-{3,}|~{3,})\s*$/;
const HEADING_LENGTH_MAX = 100;
const SENTENCE_END = /[.!?。]$/;

/**
 * Parses plain text: paragraphs between blank lines, whose lines are kept but for those that were broken where they were full; tables;
 * underlined headings; without what pages repeat.
 */
export function parseText(source: string): ParsedText {
  const parts = withoutMargins(source)
    .split(/\n[^\S\n]*\n/)
    .map((paragraph) => paragraph.split("\n").filter((line) => line.trim() !== ""))
    .flatMap((lines, i) => [...partsOf(lines, i === 0)]);
  const texts = unwrapped(parts.flatMap((part) => (part.kind === "text" ? [part.lines] : [])))[Symbol.iterator]();
  const blocks = parts.map((part): Block => {
    if (part.kind === "heading") return part;
    const lines = part.kind === "text" ? (texts.next().value ?? []) : part.lines;
    return { kind: part.kind, text: lines.join("\n").trimEnd() };
  });
  return { fields: {}, blocks };
}

function* partsOf(lines: readonly string[], isBeginning: boolean): Generator<Part> {
  let text: string[] = [];
  const end = function* (): Generator<Part> {
    if (text.length > 0) yield { kind: "text", lines: text };
    text = [];
  };
  for (let at = 0; at < lines.length; ) {
    const heading = at === 0 ? headingOf(lines, isBeginning) : null;
    const table = heading ? null : tableAt(lines, at);
    if (heading) {
      yield heading;
      at += 2;
    } else if (table) {
      yield* end();
      yield { kind: "table", lines: table.rows.map((row) => row.join(" | ")) };
      at += table.lines;
    } else text.push(lines[at++] as string);
  }
  yield* end();
}

/** The document's title, or a heading below it. */
function headingOf([first = "", second = ""]: readonly string[], isBeginning: boolean): Part | null {
  const sign = UNDERLINE.exec(second)?.[1]?.[0];
  const text = first.trim();
  if (sign === undefined || text.length > HEADING_LENGTH_MAX || UNDERLINE.test(first) || SENTENCE_END.test(text))
    return null;
  return { kind: "heading", depth: sign !== "=" ? 3 : isBeginning ? 1 : 2, text };
}
