import { RaglineError } from "../errors.ts";
import type { Block, ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { isSet, openDocument, type Parts, referenceOf, rootOf } from "./ooxml.ts";
import { chartHtml } from "./pptx-chart.ts";
import { slideHtml } from "./pptx-slide.ts";
import { parseXml } from "./xml.ts";

const FORMAT = { ending: "pptx", usual: "ppt/presentation.xml", root: "presentation" } as const;
const NOTES = "/notesSlide";
const CHART = "/chart";
/** Before a slide without a title, which is not of the slide before. */
const UNTITLED: Block = { kind: "heading", depth: 2, text: "" };

/**
 * Parses a presentation of PowerPoint (PPTX): a slide is a page, its title a heading, the first of these the document's; then text,
 * tables, charts and SmartArt in the order of the file, and the speaker's notes. Hidden slides, comments and pictures are left out.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, pictures alone, or unpacking to more than it should.
 */
export function parsePptx(bytes: Uint8Array): ParsedText {
  const { parts, path, xml } = openDocument(bytes, FORMAT);
  const references = parts.references(path);
  const blocks: Block[] = [];
  let page = 0;
  parseXml(xml, {
    open(name, attributes) {
      if (name !== "sldId") return;
      page++;
      const slide = slideBlocks(parts, references.get(referenceOf(attributes))?.path ?? "");
      for (const block of slide) blocks.push({ ...block, page });
    },
  });
  if (blocks.length === 0 && page > 0) {
    throw new RaglineError("request_invalid", "has no text: what its slides show may be pictures of it");
  }
  const title = blocks.find(({ kind, text }) => kind === "heading" && text !== "")?.text;
  return { fields: {}, blocks, ...(title !== undefined && { title }) };
}

function slideBlocks(parts: Parts, path: string): readonly Block[] {
  const slide = parts.get(path);
  if (!slide || !isSet(rootOf(slide)?.attributes.show ?? "1")) return [];
  const references = parts.references(path);
  const embedded = (id: string): string => {
    const { path = "", type = "" } = references.get(id) ?? {};
    const xml = parts.get(path);
    if (!xml) return "";
    return type.endsWith(CHART) ? chartHtml(xml) : slideHtml(xml);
  };
  const notes = [...references.values()].find(({ type }) => type.endsWith(NOTES));
  const spoken = notes && parts.get(notes.path);
  const { blocks } = parseHtml(`${slideHtml(slide, embedded)}${spoken ? slideHtml(spoken) : ""}`);
  return blocks.length > 0 && blocks[0]?.kind !== "heading" ? [UNTITLED, ...blocks] : blocks;
}
