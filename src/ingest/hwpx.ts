import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { type Attributes, escaped, parseXml } from "./xml.ts";
import { xmlParts } from "./zip.ts";

/** An outline's paragraph is a heading up to so many characters, and where it does not end as a sentence: outlines number those too. */
const HEADING_LENGTH_MAX = 100;
const SENTENCE_END = /[.。?!]\s*$/;
const HEADING_DEPTH_MAX = 6;
/** Styles of headings, as Hancom and others call them. */
const HEADING_STYLE = /^(?:개요|제목|outline|heading) *(\d{1,2})$/i;
const TITLE_STYLE = /^(?:제목|큰 ?제목|title)$/i;
/** What no reader of the text reads in its place: page headers and footers, what fields and sections are set to, memos. */
const DROPPED = new Set([
  "header",
  "footer",
  "secPr",
  "colPr",
  "fieldBegin",
  "hiddenComment",
  "parameters",
  "memogroup",
]);
/** Elements of a line whose content is text. */
const TEXTS = new Set(["t", "script", "mainText"]);
const SPACES: Readonly<Record<string, string>> = {
  lineBreak: "<br>",
  tab: " ",
  nbSpace: " ",
  fwSpace: " ",
  hyphen: "-",
};

/**
 * Parses a document of Hancom Office (HWPX: OWPML, KS X 6101): headings by outline and style, tables, text boxes, and notes after their paragraph;
 * pictures, page headers and footers are left out, as are numbers that Hancom makes itself.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, or unpacking to more than it should.
 */
export function parseHwpx(bytes: Uint8Array): ParsedText {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sections: [number: number, xml: Buffer][] = [];
  let styles: Styles = { headings: new Map(), paragraphs: new Map() };
  let title = "";
  for (const [name, xml] of xmlParts(archive)) {
    const [, number] = /^Contents\/section(\d+)\.xml$/i.exec(name) ?? [];
    if (number !== undefined) sections.push([Number(number), xml]);
    else if (/^Contents\/header\.xml$/i.test(name)) styles = readStyles(xml);
    else if (/\.hpf$/i.test(name)) title = readTitle(xml);
    else if (name === "META-INF/manifest.xml" && xml.includes("encryption-data")) {
      throw new RaglineError("request_invalid", "is encrypted: save it without a password");
    }
  }
  if (sections.length === 0) throw new RaglineError("request_invalid", "is no HWPX document: it has no section");
  const html = sections.sort(([one], [other]) => one - other).map(([, xml]) => readSection(xml, styles));
  return { ...parseHtml(html.join("\n")), ...(title !== "" && { title }) };
}

/** Depths of headings, from 1: by the id of a style, and of a paragraph's properties. */
interface Styles {
  readonly headings: ReadonlyMap<string, number>;
  readonly paragraphs: ReadonlyMap<string, number>;
}

function readStyles(xml: Buffer): Styles {
  const headings = new Map<string, number>();
  const paragraphs = new Map<string, number>();
  let paragraph = "";
  parseXml(xml, {
    open(name, { id = "", name: said = "", engName = "", type, level = "0" }) {
      if (name === "paraPr") paragraph = id;
      else if (name === "heading" && type === "OUTLINE") paragraphs.set(paragraph, Number(level) + 1);
      else if (name === "style") {
        const depth = depthOf(said) ?? depthOf(engName);
        if (depth !== null) headings.set(id, depth);
      }
    },
  });
  return { headings, paragraphs };
}

function depthOf(style: string): number | null {
  const [, depth] = HEADING_STYLE.exec(style.trim()) ?? [];
  if (depth !== undefined) return Number(depth);
  return TITLE_STYLE.test(style.trim()) ? 1 : null;
}

function readTitle(xml: Buffer): string {
  let title = "";
  let isTitle = false;
  parseXml(xml, {
    open(name) {
      isTitle = name === "title";
    },
    text(text) {
      if (isTitle) title += text;
    },
    close() {
      isTitle = false;
    },
  });
  return title.trim();
}

interface Paragraph {
  readonly depth: number | null;
  /** How many cells and notes it is in. */
  readonly place: number;
  text: string;
  /** What stands after it. */
  notes: string;
}

interface Cell {
  readonly attributes: Attributes;
  columns: string;
  rows: string;
}

/** A section as HTML. What is being written is kept apart for each cell and note until it ends. */
class SectionWriter {
  readonly #styles: Styles;
  readonly #written: string[] = [""];
  readonly #paragraphs: Paragraph[] = [];
  readonly #cells: Cell[] = [];
  /** Whether each open table is one: a box of one cell holds text, and so does a table in a cell. */
  readonly #tables: boolean[] = [];
  #texts = 0;
  #isDeleted = false;

  constructor(styles: Styles) {
    this.#styles = styles;
  }

  get html(): string {
    return this.#written[0] ?? "";
  }

  open(name: string, attributes: Attributes): void {
    if (TEXTS.has(name)) this.#texts++;
    else if (this.#texts > 0) this.#openInText(name);
    else if (name === "p") this.#openParagraph(attributes);
    else if (name === "tbl") this.#openTable(attributes);
    else if (name === "tr") this.#tag("<tr>");
    else if (name === "tc") this.#openCell(attributes);
    else if (name === "cellSpan") this.#span(attributes);
    else if (name === "caption") this.#tag("<caption>");
    else if (isNote(name)) this.#written.push("");
  }

  text(text: string): void {
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph && this.#texts > 0 && !this.#isDeleted) paragraph.text += escaped(text);
  }

  close(name: string): void {
    if (TEXTS.has(name)) this.#texts--;
    else if (name === "p") this.#closeParagraph();
    else if (name === "tbl") this.#closeTable();
    else if (name === "tr") this.#tag("</tr>");
    else if (name === "tc") this.#closeCell();
    else if (name === "caption") this.#tag("</caption>");
    else if (isNote(name)) this.#closeNote();
  }

  #openInText(name: string): void {
    const paragraph = this.#paragraphs.at(-1);
    if (name === "deleteBegin") this.#isDeleted = true;
    else if (name === "deleteEnd") this.#isDeleted = false;
    else if (paragraph && !this.#isDeleted) paragraph.text += SPACES[name] ?? "";
  }

  #openParagraph({ paraPrIDRef = "", styleIDRef = "" }: Attributes): void {
    this.#write();
    const { headings, paragraphs } = this.#styles;
    const depth = paragraphs.get(paraPrIDRef) ?? headings.get(styleIDRef) ?? null;
    this.#paragraphs.push({ depth, place: this.#written.length, text: "", notes: "" });
  }

  #closeParagraph(): void {
    this.#write();
    const { notes = "" } = this.#paragraphs.pop() ?? {};
    this.#add(notes);
  }

  /** What the paragraph says so far, as something comes that stands for itself. */
  #write(): void {
    const paragraph = this.#paragraphs.at(-1);
    if (!paragraph || paragraph.place !== this.#written.length || paragraph.text.trim() === "") return;
    const { depth, text } = paragraph;
    const isHeading =
      depth !== null && text.length <= HEADING_LENGTH_MAX && !SENTENCE_END.test(text) && this.#cells.length === 0;
    const tag = isHeading ? `h${Math.min(HEADING_DEPTH_MAX, depth)}` : "p";
    this.#add(`<${tag}>${text}</${tag}>\n`);
    paragraph.text = "";
  }

  #openTable({ rowCnt, colCnt }: Attributes): void {
    this.#write();
    this.#tables.push((rowCnt !== "1" || colCnt !== "1") && this.#cells.length === 0);
    this.#tag("<table>");
  }

  #closeTable(): void {
    this.#tag("</table>");
    this.#tables.pop();
  }

  #openCell(attributes: Attributes): void {
    if (!this.#tables.at(-1)) return;
    this.#cells.push({ attributes, columns: "1", rows: "1" });
    this.#written.push("");
  }

  #span({ colSpan = "1", rowSpan = "1" }: Attributes): void {
    const cell = this.#cells.at(-1);
    if (cell && this.#tables.at(-1)) Object.assign(cell, { columns: colSpan, rows: rowSpan });
  }

  #closeCell(): void {
    if (!this.#tables.at(-1)) return;
    const { attributes, columns, rows } = this.#cells.pop() ?? { attributes: {}, columns: "1", rows: "1" };
    const tag = attributes.header === "1" ? "th" : "td";
    const html = this.#written.pop() ?? "";
    this.#add(`<${tag} colspan="${Number(columns)}" rowspan="${Number(rows)}">${html}</${tag}>`);
  }

  #closeNote(): void {
    const html = this.#written.pop() ?? "";
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph) paragraph.notes += html;
    else this.#add(html);
  }

  #tag(tag: string): void {
    if (this.#tables.at(-1)) this.#add(tag);
  }

  #add(html: string): void {
    this.#written.push((this.#written.pop() ?? "") + html);
  }
}

function isNote(name: string): boolean {
  return name === "footNote" || name === "endNote";
}

function readSection(xml: Buffer, styles: Styles): string {
  const writer = new SectionWriter(styles);
  let dropped = 0;
  parseXml(xml, {
    open(name, attributes) {
      if (dropped > 0 || DROPPED.has(name)) dropped++;
      else writer.open(name, attributes);
    },
    text(text) {
      if (dropped === 0) writer.text(text);
    },
    close(name) {
      if (dropped > 0) dropped--;
      else writer.close(name);
    },
  });
  return writer.html;
}
