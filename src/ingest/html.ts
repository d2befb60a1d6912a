import { RaglineError } from "../errors.ts";
import type { Block, ParsedText } from "./document.ts";
import { TableReader } from "./html-table.ts";
import { Parser } from "./markup.ts";
import { collapse } from "./normalize.ts";

/** Elements inside one another. Closing a tag looks through all open ones, so depth without a limit costs quadratic time. */
const DEPTH_MAX = 1_000;

/** UTF-16 units that merged cells may be repeated in, beside as many as the source has. */
const REPEATED_MAX = 100_000;

const DROPPED = new Set([
  "script",
  "style",
  "template",
  "nav",
  "noscript",
  "svg",
  "math",
  "iframe",
  "object",
  "select",
  "button",
]);

/** Text that is no longer valid: it stays, marked as Markdown does. */
const STRUCK = new Set(["del", "s", "strike"]);
const STRUCK_MARK = "~~";

/** Elements that end the text before them and after them. */
const BLOCKS = new Set(
  (
    "address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer form " +
    "header hgroup hr html legend main p section summary"
  ).split(" "),
);

/** Elements that part what is before from what is behind, beside blocks. */
const PARTS = new Set(["pre", "li", "ul", "ol", "tr", "td", "th", "table"]);

type Attributes = Readonly<Record<string, string>>;
type Target = "text" | "heading" | "code" | "list" | "table" | "title";

/**
 * Parses HTML, however broken, into blocks. Scripts, styles, navigation and templates are left out.
 * @throws RaglineError `request_invalid` for more than 1,000 elements inside one another.
 */
export function parseHtml(source: string): ParsedText {
  const reader = new BlockReader(REPEATED_MAX + source.length);
  const parser = new Parser(
    {
      onopentag: (name, attributes) => reader.open(name, attributes),
      ontext: (text) => reader.text(text),
      onclosetag: (name) => reader.close(name),
    },
    { decodeEntities: true, lowerCaseTags: true },
  );
  parser.write(source);
  parser.end();
  reader.flush();
  return { fields: {}, blocks: reader.blocks, ...(reader.title !== "" && { title: reader.title }) };
}

/** Character references (`&nbsp;`, `&lt;`) as the characters they stand for; everything else as it is. */
export function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  let decoded = "";
  const parser = new Parser({ ontext: (part) => (decoded += part) });
  parser.end(text.replaceAll("<", "&lt;"));
  return decoded;
}

/** Turns tags and text into blocks. Keeps no tree: depth costs nothing. */
class BlockReader {
  readonly blocks: Block[] = [];
  title = "";
  private buffer = "";
  private target: Target = "text";
  private depth = 0;
  /** The outermost of the open elements that are left out. */
  private dropped: { readonly name: string; readonly depth: number } | null = null;
  /** Whether the text that follows is a superscript's. */
  private isRaised = false;
  private readonly lists: { ordered: boolean; items: number }[] = [];
  private table: TableReader | null = null;
  private tables = 0;
  private preformatted = 0;
  private readonly room: { left: number };

  constructor(repeatedMax: number) {
    this.room = { left: repeatedMax };
  }

  open(name: string, attributes: Attributes): void {
    if (++this.depth > DEPTH_MAX) {
      throw new RaglineError("request_invalid", `is nested deeper than ${DEPTH_MAX} elements`);
    }
    // A heading in a button, as a button in a heading, is a question that opens its answer.
    if (this.dropped?.name === "button" && isHeading(name)) this.dropped = null;
    if (this.dropped) return;
    const isQuestion = name === "button" && this.target === "heading";
    if (name === "title" && this.target === "text") this.start("title");
    else if (DROPPED.has(name) && !isQuestion) this.dropped = { name, depth: this.depth };
    else {
      if (name === "pre") this.preformatted++;
      this.openShown(name, attributes);
    }
  }

  text(text: string): void {
    if (this.dropped) return;
    const shown = this.preformatted > 0 ? text : text.replace(/\s+/g, " ");
    // 10² is not 102.
    if (this.isRaised && /\d$/.test(this.buffer) && /^\d/.test(shown)) this.buffer += "^";
    this.isRaised = false;
    this.buffer += shown;
  }

  close(name: string): void {
    const depth = this.depth--;
    if (this.dropped) {
      if (this.dropped.depth === depth) this.dropped = null;
    } else if (name === "title" && this.target === "title") {
      this.title ||= collapse(this.buffer);
      this.buffer = "";
      this.target = "text";
    } else {
      if (name === "pre") this.preformatted--;
      this.closeShown(name);
    }
  }

  /** Ends the block that is being read. */
  flush(): void {
    const text = this.target === "code" ? this.buffer.replace(/^\n+/, "").trimEnd() : tidy(this.buffer);
    this.buffer = "";
    if (text.trim() === "" || this.target === "title") return;
    this.blocks.push({ kind: this.target === "heading" ? "text" : this.target, text });
  }

  private openShown(name: string, attributes: Attributes): void {
    if (name === "sup") this.isRaised = true;
    if (STRUCK.has(name)) this.buffer += STRUCK_MARK;
    else if (name === "br") this.buffer += this.target === "table" ? " " : "\n";
    else if (this.table) this.openInTable(this.table, name, attributes);
    else if (name === "table") {
      this.start("table");
      this.table = new TableReader(this.room);
      this.tables = 1;
    } else if (name === "ul" || name === "ol") this.openList(name === "ol", attributes);
    else if (this.lists.length > 0) this.openInList(name, attributes);
    else if (name === "pre") this.start("code");
    else if (isHeading(name)) this.start("heading");
    else if (BLOCKS.has(name)) this.openBlock();
  }

  private openBlock(): void {
    if (this.target === "text") this.flush();
    else if (this.target === "heading") this.buffer += " ";
  }

  private closeShown(name: string): void {
    if (name === "sup") this.isRaised = false;
    if (STRUCK.has(name)) this.buffer += STRUCK_MARK;
    else if (this.table) this.closeInTable(this.table, name);
    else if (name === "ul" || name === "ol") this.closeList();
    else if (this.lists.length > 0) this.part(name);
    else if (name === "pre" && this.target === "code") this.start("text");
    else if (isHeading(name) && this.target === "heading") this.closeHeading(Number(name[1]));
    else if (BLOCKS.has(name) && this.target === "text") this.flush();
  }

  private start(target: Target): void {
    this.flush();
    this.target = target;
  }

  private closeHeading(depth: number): void {
    const text = collapse(this.buffer);
    this.buffer = "";
    this.target = "text";
    if (text !== "") this.blocks.push({ kind: "heading", depth, text });
  }

  private openList(ordered: boolean, { start }: Attributes): void {
    if (this.lists.length === 0) this.start("list");
    this.lists.push({ ordered, items: numberOf(start, 1) - 1 });
  }

  private closeList(): void {
    this.lists.pop();
    if (this.lists.length === 0 && this.target === "list") this.start("text");
  }

  private openInList(name: string, { value }: Attributes): void {
    const list = this.lists.at(-1);
    if (name === "li" && list) {
      if (list.ordered) list.items = numberOf(value, list.items + 1) - 1;
      const marker = list.ordered ? `${++list.items}.` : "-";
      this.buffer += `\n${INDENT.repeat(Math.min(this.lists.length, 9) - 1)}${marker} `;
    } else this.part(name);
  }

  /** Within an entry or a cell: other elements stand within a word, too. */
  private part(name: string): void {
    if (BLOCKS.has(name) || isHeading(name) || PARTS.has(name)) this.buffer += " ";
  }

  private openInTable(table: TableReader, name: string, attributes: Attributes): void {
    if (name === "table") this.tables++;
    else if (name === "tr" && this.tables === 1) table.openRow(this.take());
    else if (name === "td" || name === "th")
      table.openCell(this.take(), name === "th", this.tables === 1 ? attributes : {});
    else this.part(name);
  }

  private closeInTable(table: TableReader, name: string): void {
    if (name !== "table") this.part(name);
    if (name !== "table" || --this.tables > 0) return;
    for (const block of table.close(this.take())) this.blocks.push(block);
    this.table = null;
    this.target = this.lists.length > 0 ? "list" : "text";
  }

  private take(): string {
    const text = this.buffer;
    this.buffer = "";
    return text;
  }
}

const INDENT = "  ";

/** A list's first number, or an entry's. */
function numberOf(value: string | undefined, otherwise: number): number {
  return value !== undefined && /^\s*\d{1,9}\s*$/.test(value) ? Number(value) : otherwise;
}

/** White space as a browser shows it, line ends and indents of our own kept. */
function tidy(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/(?!^) +/g, " ").trimEnd())
    .filter((line) => line.trim() !== "")
    .join("\n");
}

function isHeading(name: string): boolean {
  return /^h[1-6]$/.test(name);
}
