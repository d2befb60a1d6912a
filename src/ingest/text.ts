import type { Block, ParsedText } from "./document.ts";
import { withoutMargins } from "./text-pages.ts";
import { tableAt } from "./text-tables.ts";
import { unwrapped } from "./text-wraps.ts";

type Part =
  | { readonly kind: "table"; readonly lines: readonly string[] }
  /** `mark`: before each line of a mail that is answered, `> `. */
  | { readonly kind: "text"; readonly lines: readonly string[]; readonly mark: string }
  | { readonly kind: "heading"; readonly depth: number; readonly text: string };

/** What stands below a heading, in signs of one kind: `=====`. */
const UNDERLINE = /^\s*(={3,}|-{3,}|~{3,})\s*$/;
/** What mail puts before the lines that it answers. */
const QUOTED = /^(?:> ?)+/;
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
    if (part.kind === "table") return { kind: "table", text: part.lines.join("\n") };
    const lines: readonly string[] = texts.next().value ?? [];
    return {
      kind: "text",
      text: lines
        .map((line) => part.mark + line)
        .join("\n")
        .trimEnd(),
    };
  });
  return { fields: {}, blocks };
}

function* partsOf(lines: readonly string[], isBeginning: boolean): Generator<Part> {
  let text: string[] = [];
  let mark = "";
  const end = function* (): Generator<Part> {
    if (text.length > 0) yield { kind: "text", lines: text, mark };
    text = [];
  };
  const heading = headingOf(lines, isBeginning);
  if (heading) yield heading;
  for (let at = heading ? 2 : 0; at < lines.length; ) {
    const line = lines[at] as string;
    const table = tableAt(lines, at);
    const before = QUOTED.exec(line)?.[0] ?? "";
    const quoted = before === line && mark === "" ? "" : before;
    if (table || quoted.trim() !== mark.trim() || quoted === line) yield* end();
    if (table) yield { kind: "table", lines: table.rows.map((row) => row.join(" | ")) };
    else if (quoted !== line) {
      mark = quoted;
      text.push(line.slice(quoted.length));
    }
    at += table?.lines ?? 1;
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
