import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { type Context, readBody } from "./docx-body.ts";
import { WordNumbering } from "./docx-numbering.ts";
import { Styles } from "./docx-styles.ts";
import { parseHtml } from "./html.ts";
import { openDocument } from "./ooxml.ts";
import { chartHtml } from "./pptx-chart.ts";
import { slideHtml } from "./pptx-slide.ts";
import { titled } from "./titled.ts";

const FORMAT = { ending: "docx", usual: "word/document.xml", root: "document" } as const;
const CHART = "/chart";
/** UTF-16 units that merged cells may be repeated in, beside as many as the text's part has. */
const REPEATED_MAX = 100_000;

/**
 * Parses a Word document: headings by style and outline, lists and paragraphs with the numbers that Word makes, tables, text boxes, charts
 * and SmartArt, and notes after their paragraph; of tracked changes what they come to. Tables of contents, hidden text, pictures, comments,
 * page headers and footers are left out.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, pictures alone, or unpacking to more than it should.
 */
export function parseDocx(bytes: Uint8Array): ParsedText {
  const { parts, path, xml } = openDocument(bytes, FORMAT);
  const references = parts.references(path);
  const partOf = (name: string) =>
    parts.get([...references.values()].find(({ type }) => type.endsWith(`/${name}`))?.path ?? `word/${name}.xml`);
  const plain: Context = {
    styles: new Styles(partOf("styles")),
    numbering: new WordNumbering(partOf("numbering")),
    note: () => [],
    embedded: () => [],
    room: { left: REPEATED_MAX + xml.length },
  };
  const notesOf = (name: string) => {
    const part = partOf(name);
    return new Map(part ? readBody(part, plain).notes : []);
  };
  const notes = { footnote: notesOf("footnotes"), endnote: notesOf("endnotes") };
  const { blocks, hasPicture } = readBody(xml, {
    ...plain,
    note(kind, id) {
      const note = notes[kind].get(id) ?? [];
      notes[kind].delete(id);
      return note;
    },
    embedded(id) {
      const { path = "", type = "" } = references.get(id) ?? {};
      const part = parts.get(path);
      return part ? parseHtml(type.endsWith(CHART) ? chartHtml(part) : slideHtml(part)).blocks : [];
    },
  });
  if (blocks.length === 0 && hasPicture) {
    throw new RaglineError("request_invalid", "holds pictures only: recognise their text first");
  }
  return titled({ fields: {}, blocks });
}
