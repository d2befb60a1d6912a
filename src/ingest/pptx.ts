import { RaglineError } from "../errors.ts";
import type { Block, ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { Parts, refuseOldOrEncrypted } from "./ooxml.ts";
import { type Attributes, escaped, parseXml } from "./xml.ts";

const PRESENTATION = "ppt/presentation.xml";
const NOTES = "/notesSlide";
const TITLES = new Set(["title", "ctrTitle"]);
/** Placeholders that say the same on every slide. */
const DROPPED = new Set(["ftr", "hdr", "sldNum", "dt", "sldImg"]);

/**
 * Parses a presentation of PowerPoint (PPTX): a slide is a page, its title a heading, the first of these the document's; text, tables and the speaker's notes, in the order of the file.
 * Pictures, charts and SmartArt are left out.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, pictures alone, or unpacking to more than it should.
 */
export function parsePptx(bytes: Uint8Array): ParsedText {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  refuseOldOrEncrypted(archive, ".ppt", ".pptx");
  const parts = new Parts(archive);
  const presentation = parts.get(PRESENTATION);
  if (!presentation) throw new RaglineError("request_invalid", "is no PPTX document: it has no presentation");
  const references = parts.references(PRESENTATION);
  const blocks: Block[] = [];
  let page = 0;
  parseXml(presentation, {
    open(name, attributes) {
      if (name !== "sldId") return;
      page++;
      for (const block of slideBlocks(parts, references.get(attributes["r:id"] ?? "")?.path ?? "")) {
        blocks.push({ ...block, page });
      }
    },
  });
  if (blocks.length === 0 && page > 0) {
    throw new RaglineError("request_invalid", "has no text: what its slides show may be pictures of it");
  }
  const title = blocks.find(({ kind }) => kind === "heading")?.text;
  return { fields: {}, blocks, ...(title !== undefined && { title }) };
}

function slideBlocks(parts: Parts, path: string): readonly Block[] {
  const slide = parts.get(path);
  if (!slide) return [];
  const notes = [...parts.references(path).values()].find(({ type }) => type.endsWith(NOTES));
  const spoken = notes && parts.get(notes.path);
  return parseHtml(`${slideHtml(slide)}${spoken ? slideHtml(spoken) : ""}`).blocks;
}

function slideHtml(xml: Buffer): string {
  const writer = new SlideWriter();
  parseXml(xml, writer);
  return writer.html;
}

class SlideWriter {
  html = "";
  #placeholder = "";
  #isText = false;
  #cells = 0;
  #isMerged = false;

  open = (name: string, attributes: Attributes): void => {
    if (name === "sp") this.#placeholder = "";
    else if (name === "ph") this.#placeholder = attributes.type ?? "body";
    else if (name === "tbl") this.html += "<table>";
    else if (name === "tr") this.html += "<tr>";
    else if (name === "tc") this.#openCell(attributes);
    else if (name === "p") this.#write(`<${this.#tag}>`);
    else if (name === "br") this.#write("<br>");
    else if (name === "t") this.#isText = true;
  };

  text = (text: string): void => {
    if (this.#isText) this.#write(escaped(text));
  };

  close = (name: string): void => {
    if (name === "sp") this.#placeholder = "";
    else if (name === "tbl") this.html += "</table>";
    else if (name === "tr") this.html += "</tr>";
    else if (name === "tc") this.#closeCell();
    else if (name === "p") this.#write(`</${this.#tag}>`);
    else if (name === "t") this.#isText = false;
  };

  get #tag(): string {
    return TITLES.has(this.#placeholder) && this.#cells === 0 ? "h2" : "p";
  }

  #write(html: string): void {
    if (!DROPPED.has(this.#placeholder) && !this.#isMerged) this.html += html;
  }

  #openCell({ gridSpan, rowSpan, hMerge, vMerge }: Attributes): void {
    this.#cells++;
    this.#isMerged = isSet(hMerge) || isSet(vMerge);
    this.#write(`<td colspan="${Number(gridSpan ?? 1)}" rowspan="${Number(rowSpan ?? 1)}">`);
  }

  #closeCell(): void {
    this.#write("</td>");
    this.#isMerged = false;
    this.#cells--;
  }
}

/** As XML Schema writes what is true. */
export function isSet(value: string | undefined): boolean {
  return value === "1" || value === "true";
}
