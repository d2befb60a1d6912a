import { NAME } from "./html-table.ts";
import type { HancomNumbering } from "./hwpx-numbering.ts";
import { type Attributes, escaped, parseXml } from "./xml.ts";

/** An outline's paragraph is a heading up to so many characters, and where it does not end as a sentence: outlines number those too. */
const HEADING_LENGTH_MAX = 100;
const SENTENCE_END = /[.。?!]\s*$/;
const HEADING_DEPTH_MAX = 6;
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
/**
 * The parameters of a field that say what to write there, which stands there until somebody does: alone, or among others with its length.
 */
const PROMPT = "Direction";
const COMMAND = "Command";
const COMMANDED_PROMPT = /Direction:wstring:(\d+):(.*)/s;
/** By how much breaks may make a prompt longer where it stands. What is longer is not compared: fields may hold fields. */
const PROMPT_STRETCH = 4;
/** Elements of a line whose content is text. */
const TEXTS = new Set(["t", "script", "mainText"]);
const BUTTONS = new Set(["checkBtn", "radioBtn"]);
const SPACES: ReadonlyMap<string, string> = new Map([
  ["lineBreak", "<br>"],
  ["tab", " "],
  ["nbSpace", " "],
  ["fwSpace", " "],
  ["hyphen", "-"],
]);

/** Depths of headings, 1 the document's title: by the id of a style, and of a paragraph's properties. */
export interface Styles {
  readonly headings: ReadonlyMap<string, number>;
  readonly paragraphs: ReadonlyMap<string, number>;
  /** Of borders and fills, those with a background. */
  readonly shaded: ReadonlySet<string>;
}

interface Paragraph {
  readonly depth: number | null;
  /** How many cells and notes it is in. */
  readonly place: number;
  /** The id of what it is set to, until its number is known. */
  properties: string | null;
  text: string;
  /** What stands after it. */
  notes: string;
}

interface Field {
  /** What it says to write. */
  prompt: string;
  readonly paragraph: Paragraph | undefined;
  /** Where in the paragraph's text it begins. */
  readonly from: number;
}

interface Cell {
  readonly attributes: Attributes;
  columns: string;
  rows: string;
}

/** A section as HTML. What is being written is kept apart for each cell and note until it ends. */
class SectionWriter {
  readonly #styles: Styles;
  readonly #numbering: HancomNumbering;
  readonly #written: string[] = [""];
  readonly #paragraphs: Paragraph[] = [];
  readonly #cells: Cell[] = [];
  readonly #fields: Field[] = [];
  /** Whether each open table is one: a box of one cell holds text, and so does a table in a cell. */
  readonly #tables: boolean[] = [];
  #texts = 0;
  #isDeleted = false;

  constructor(styles: Styles, numbering: HancomNumbering) {
    this.#styles = styles;
    this.#numbering = numbering;
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
    else if (name === "fieldEnd") this.#closeField();
    else if (BUTTONS.has(name)) this.#openButton(attributes);
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

  openField(): void {
    const paragraph = this.#paragraphs.at(-1);
    this.#fields.push({ prompt: "", paragraph, from: paragraph?.text.length ?? 0 });
  }

  /** Of the field that is open. */
  prompt(prompt: string): void {
    const field = this.#fields.at(-1);
    if (field) field.prompt = prompt;
  }

  /** Where it says its prompt alone, nobody has written anything. */
  #closeField(): void {
    const { prompt = "", paragraph, from = 0 } = this.#fields.pop() ?? {};
    const asked = escaped(prompt);
    const said = paragraph?.text.slice(from) ?? "";
    if (!paragraph || said.length > PROMPT_STRETCH * asked.length) return;
    if (inOneLine(said) === inOneLine(asked)) paragraph.text = paragraph.text.slice(0, from);
  }

  #openButton({ caption = "", value }: Attributes): void {
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph) paragraph.text += `${value === "CHECKED" ? "☑" : "☐"} ${escaped(caption)} `;
  }

  #openInText(name: string): void {
    const paragraph = this.#paragraphs.at(-1);
    if (name === "deleteBegin") this.#isDeleted = true;
    else if (name === "deleteEnd") this.#isDeleted = false;
    else if (paragraph && !this.#isDeleted) paragraph.text += SPACES.get(name) ?? "";
  }

  #openParagraph({ paraPrIDRef = "", styleIDRef = "" }: Attributes): void {
    this.#write();
    const { headings, paragraphs } = this.#styles;
    const depth = paragraphs.get(paraPrIDRef) ?? headings.get(styleIDRef) ?? null;
    this.#paragraphs.push({
      depth,
      place: this.#written.length,
      properties: paraPrIDRef,
      text: "",
      notes: "",
    });
  }

  #closeParagraph(): void {
    this.#write();
    const paragraph = this.#paragraphs.pop();
    // One that says nothing counts as well.
    if (paragraph) this.#numberOf(paragraph);
    this.#add(paragraph?.notes ?? "");
  }

  /** What the paragraph says so far, as something comes that stands for itself. */
  #write(): void {
    const paragraph = this.#paragraphs.at(-1);
    if (!paragraph || paragraph.place !== this.#written.length || paragraph.text.trim() === "") return;
    const { depth, text } = paragraph;
    const isHeading =
      depth !== null && text.length <= HEADING_LENGTH_MAX && !SENTENCE_END.test(text) && this.#cells.length === 0;
    const tag = isHeading ? `h${Math.min(HEADING_DEPTH_MAX, depth)}` : "p";
    this.#add(`<${tag}>${escaped(this.#numberOf(paragraph))}${text}</${tag}>\n`);
    paragraph.text = "";
  }

  /** What stands before its text, once. */
  #numberOf(paragraph: Paragraph): string {
    const { properties } = paragraph;
    paragraph.properties = null;
    return properties === null ? "" : this.#numbering.next(properties);
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
    const name = this.#styles.shaded.has(attributes.borderFillIDRef ?? "") ? ` ${NAME}` : "";
    this.#add(`<${tag}${name} colspan="${Number(columns)}" rowspan="${Number(rows)}">${html}</${tag}>`);
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

function inOneLine(html: string): string {
  return html.replaceAll("<br>", " ").replace(/\s+/g, " ").trim();
}

function isNote(name: string): boolean {
  return name === "footNote" || name === "endNote";
}

/** A section as HTML. */
export function readSection(xml: Buffer, styles: Styles, numbering: HancomNumbering): string {
  const writer = new SectionWriter(styles, numbering);
  let dropped = 0;
  let parameter = "";
  let said = "";
  parseXml(xml, {
    open(name, attributes) {
      if (name === "fieldBegin" && dropped === 0) writer.openField();
      if (name === "secPr") numbering.beginSection(attributes.outlineShapeIDRef ?? "");
      parameter = dropped > 0 ? (attributes.name ?? "") : "";
      said = "";
      if (dropped > 0 || DROPPED.has(name)) dropped++;
      else writer.open(name, attributes);
    },
    text(text) {
      if (parameter === PROMPT || parameter === COMMAND) said += text;
      if (dropped === 0) writer.text(text);
    },
    close(name) {
      const [, length = "", rest = ""] = COMMANDED_PROMPT.exec(said) ?? [];
      if (parameter === PROMPT) writer.prompt(said);
      else if (length !== "") writer.prompt(rest.slice(0, Number(length)));
      parameter = "";
      said = "";
      if (dropped > 0) dropped--;
      else writer.close(name);
    },
  });
  return writer.html;
}
