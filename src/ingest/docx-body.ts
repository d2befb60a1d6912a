import type { Block } from "./document.ts";
import { Fields } from "./docx-fields.ts";
import { MathWriter } from "./docx-math.ts";
import type { WordNumbering } from "./docx-numbering.ts";
import { add, append, Paragraph } from "./docx-paragraph.ts";
import { depthAt, type Styles } from "./docx-styles.ts";
import { Tables } from "./docx-table.ts";
import { isOn, referenceOf } from "./ooxml.ts";
import { symbol } from "./symbols.ts";
import { type Attributes, attributeOf, parseXml } from "./xml.ts";

/** What is not the document's text: deleted or moved away, properties before a change, what programs without the choice before it show. */
const DROPPED = new Set([
  "del",
  "moveFrom",
  "pPrChange",
  "rPrChange",
  "tblPrChange",
  "trPrChange",
  "tcPrChange",
  "Fallback",
]);
/** Elements of a run that stand for characters. */
const CHARACTERS: ReadonlyMap<string, string> = new Map(
  Object.entries({ tab: " ", ptab: " ", br: "\n", cr: "\n", noBreakHyphen: "-" }),
);
const SOFT_HYPHENS = /\u00ad/g;

/** What a document's text refers to. */
export interface Context {
  readonly styles: Styles;
  readonly numbering: WordNumbering;
  /** By kind and id. */
  note(kind: "footnote" | "endnote", id: string): readonly Block[];
  /** Charts and SmartArt, by the reference's id. */
  embedded(id: string): readonly Block[];
  /** UTF-16 units that merged cells may still be repeated in. */
  readonly room: { left: number };
}

/** Where blocks go: the body, a cell, a text box. */
interface Frame {
  readonly blocks: Block[];
  readonly paragraphs: Paragraph[];
  readonly runs: Run[];
  /** Ends with a paragraph whose end is deleted. */
  joined: Paragraph | null;
}

interface Run {
  isHidden: boolean;
  isStruck: boolean;
  isRaised: boolean;
}

const openFrame = (): Frame => ({ blocks: [], paragraphs: [], runs: [], joined: null });

interface Body {
  readonly blocks: readonly Block[];
  /** By their ids, in the part that holds them. */
  readonly notes: ReadonlyMap<string, readonly Block[]>;
  readonly hasPicture: boolean;
}

/** A part of a Word document: its body, or its notes. */
export function readBody(xml: Buffer, context: Context): Body {
  const reader = new BodyReader(context);
  let dropped = 0;
  const parents: string[] = [];
  parseXml(xml, {
    open(name, attributes) {
      const parent = parents.at(-1) ?? "";
      parents.push(name);
      const isMark = parent === "rPr" || parent === "trPr";
      if (dropped > 0 || (DROPPED.has(name) && !isMark) || reader.isDropped(name)) dropped++;
      else reader.open(name, attributes, parent);
    },
    text(text) {
      if (dropped === 0) reader.text(text, parents.at(-1) ?? "");
    },
    close(name) {
      parents.pop();
      if (dropped > 0) dropped--;
      else reader.close(name, parents.at(-1) ?? "");
    },
  });
  return reader;
}

class BodyReader {
  hasPicture = false;
  readonly notes = new Map<string, readonly Block[]>();
  readonly #context: Context;
  readonly #frames: Frame[] = [openFrame()];
  readonly #tables = new Tables();
  readonly #fields = new Fields();
  /** Of content controls, whether their content is none: a prompt, or a table of contents. */
  readonly #controls: boolean[] = [];
  #number: { id?: string; level?: number } | undefined;
  #styleId = "";
  #noteId = "";
  #math: MathWriter | null = null;
  #ruby = "";
  #isRuby = false;

  constructor(context: Context) {
    this.#context = context;
  }

  get blocks(): readonly Block[] {
    return this.#frames[0]?.blocks ?? [];
  }

  isDropped(name: string): boolean {
    return name === "sdtContent" && this.#controls.at(-1) === true;
  }

  open(name: string, attributes: Attributes, parent: string): void {
    const value = attributeOf(attributes, "val");
    if (this.#math) this.#math.open(name, value);
    else if (parent === "pPr" || parent === "numPr") this.#openProperty(name, value);
    else if (parent === "rPr") this.#openLook(name, value);
    else if (parent === "r" || parent === "rubyBase") this.#openInRun(name, attributes);
    else if (parent === "trPr" || parent === "tcPr") this.#tables.describe(name, attributes);
    else this.#openElement(name, attributes, parent);
  }

  text(text: string, parent: string): void {
    if (parent === "t") this.#write(text.replace(SOFT_HYPHENS, ""));
    else if (parent === "instrText") this.#fields.instruct(text);
  }

  close(name: string, parent: string): void {
    if (name === "oMath") this.#closeMath();
    else if (this.#math) this.#math.close(name);
    else if (name === "p") this.#closeParagraph();
    else if (name === "pPr") this.#closeProperties();
    else if (name === "r") this.#frame.runs.pop();
    else if (name === "tbl") this.#closeTable();
    else if (name === "tc") this.#closeCell();
    else if (name === "txbxContent") this.#closeBox();
    else if (name === "footnote" || name === "endnote") this.#closeNote();
    else if (name === "sdt") this.#controls.pop();
    else if (name === "fldSimple") this.#fields.end();
    else if (name === "rt") this.#isRuby = false;
    else if (name === "ruby" && parent === "r") this.#closeRuby();
  }

  get #frame(): Frame {
    return this.#frames.at(-1) as Frame;
  }

  get #paragraph(): Paragraph | undefined {
    return this.#frame.paragraphs.at(-1);
  }

  #write(text: string): void {
    const run = this.#frame.runs.at(-1);
    if (run?.isHidden || !this.#fields.isShown) return;
    if (this.#math) this.#math.write(text);
    else if (this.#isRuby) this.#ruby += text;
    else this.#paragraph?.write(text, { isStruck: run?.isStruck ?? false, isRaised: run?.isRaised ?? false });
  }

  #openElement(name: string, attributes: Attributes, parent: string): void {
    if (name === "p") this.#openParagraph();
    else if (name === "r") this.#openRun();
    else if (name === "tbl") this.#tables.open();
    else if (name === "tr") this.#tables.openRow();
    else if (name === "tc") this.#openCell();
    else if (name === "txbxContent") this.#frames.push(openFrame());
    else if (name === "oMath") this.#math = new MathWriter();
    else if (name === "rt") this.#isRuby = true;
    else if (name === "footnote" || name === "endnote") this.#openNote(attributes);
    else if (name === "fldSimple") this.#fields.begin(attributeOf(attributes, "instr"), true);
    else if (name === "sdt") this.#controls.push(false);
    else if (name === "showingPlcHdr") this.#dropControl(isOn(attributeOf(attributes, "val")));
    else if (name === "docPartGallery") this.#dropControl(attributeOf(attributes, "val") === "Table of Contents");
    else if (name === "blip" || name === "imagedata") this.hasPicture = true;
    else if (name === "chart") this.#embed(referenceOf(attributes));
    else if (name === "relIds") this.#embed(referenceOf(attributes, "dm"));
    else this.#fields.describe(name, attributeOf(attributes, "val"), parent);
  }

  #dropControl(isNone: boolean): void {
    if (isNone && this.#controls.length > 0) this.#controls[this.#controls.length - 1] = true;
  }

  #embed(id: string): void {
    append(this.#paragraph?.after, this.#context.embedded(id));
  }

  #openParagraph(): void {
    const paragraph = new Paragraph();
    const { joined } = this.#frame;
    if (joined) paragraph.goOnFrom(joined);
    this.#frame.joined = null;
    this.#frame.paragraphs.push(paragraph);
    this.#number = undefined;
    this.#styleId = "";
  }

  #openProperty(name: string, value: string): void {
    const paragraph = this.#paragraph;
    if (!paragraph) return;
    if (name === "pStyle") {
      this.#styleId = value;
      paragraph.style = this.#context.styles.get(value);
    } else if (name === "outlineLvl") paragraph.depth = depthAt(Number(value));
    else if (name === "numId") this.#number = { ...this.#number, id: value };
    else if (name === "ilvl") this.#number = { ...this.#number, level: Number(value) };
  }

  #closeProperties(): void {
    const paragraph = this.#paragraph;
    if (!paragraph || paragraph.isJoined || paragraph.style.isForeign) return;
    const number = { ...paragraph.style.number, ...this.#number };
    paragraph.label = this.#context.numbering.next(number, this.#styleId);
  }

  #closeParagraph(): void {
    this.#fields.endInstructions();
    const paragraph = this.#frame.paragraphs.pop();
    if (!paragraph) return;
    if (paragraph.isJoined) this.#frame.joined = paragraph;
    else add(this.#frame.blocks, paragraph);
  }

  #openRun(): void {
    const style = this.#paragraph?.style;
    this.#frame.runs.push({ isHidden: style?.isHidden ?? false, isStruck: style?.isStruck ?? false, isRaised: false });
  }

  /** Of a run, or of the mark that ends a paragraph. */
  #openLook(name: string, value: string): void {
    const run = this.#frame.runs.at(-1);
    const paragraph = this.#paragraph;
    if (!run) {
      if (paragraph && (name === "del" || name === "moveFrom")) paragraph.isJoined = true;
    } else if (name === "vanish") run.isHidden = isOn(value);
    else if (name === "strike" || name === "dstrike") run.isStruck = isOn(value);
    else if (name === "vertAlign") run.isRaised = value === "superscript";
    else if (name === "rStyle") {
      const { isHidden, isStruck, isForeign } = this.#context.styles.get(value);
      Object.assign(run, { isHidden: isHidden || isForeign, isStruck });
    }
  }

  #openInRun(name: string, attributes: Attributes): void {
    const character = CHARACTERS.get(name);
    if (character !== undefined) this.#write(character);
    else if (name === "sym") this.#write(symbol(attributeOf(attributes, "font"), attributeOf(attributes, "char")));
    else if (name === "fldChar") this.#turnField(attributeOf(attributes, "fldCharType"));
    else if (name === "footnoteReference" || name === "endnoteReference") {
      const kind = name === "endnoteReference" ? "endnote" : "footnote";
      append(this.#paragraph?.after, this.#context.note(kind, attributeOf(attributes, "id")));
    } else if (name === "ruby") this.#ruby = "";
    else this.#openElement(name, attributes, "r");
  }

  #turnField(type: string): void {
    if (type === "begin") this.#fields.begin();
    else if (type === "separate") this.#fields.separate();
    else if (type === "end") this.#write(this.#fields.end());
  }

  /** What reads the word above it. */
  #closeRuby(): void {
    const said = this.#ruby;
    this.#ruby = "";
    if (said !== "") this.#write(`(${said})`);
  }

  #closeMath(): void {
    const said = this.#math?.text ?? "";
    this.#math = null;
    this.#write(said);
  }

  /** In the part that holds the notes. Those with a type part them from the text. */
  #openNote(attributes: Attributes): void {
    this.#noteId = attributeOf(attributes, "type") === "" ? attributeOf(attributes, "id") : "";
    this.#frames.push(openFrame());
  }

  #closeNote(): void {
    const note = this.#endFrame();
    if (note && this.#noteId !== "") this.notes.set(this.#noteId, note.blocks);
  }

  /** The body's own stays, whatever ends. */
  #endFrame(): Frame | undefined {
    return this.#frames.length > 1 ? this.#frames.pop() : undefined;
  }

  #closeBox(): void {
    const box = this.#endFrame();
    append(this.#paragraph?.after, box?.blocks ?? []);
  }

  #openCell(): void {
    this.#tables.openCell();
    this.#frames.push(openFrame());
  }

  #closeCell(): void {
    this.#tables.closeCell(this.#endFrame()?.blocks ?? []);
  }

  #closeTable(): void {
    append(this.#frame.blocks, this.#tables.close(this.#context.room));
  }
}
