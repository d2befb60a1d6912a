import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { HancomNumbering } from "./hwpx-numbering.ts";
import { readSection, type Styles } from "./hwpx-section.ts";
import { isShade } from "./ooxml.ts";
import { titled } from "./titled.ts";
import { parseXml } from "./xml.ts";
import { xmlParts } from "./zip.ts";

/** Styles of headings, as Hancom and others call them. */
const HEADING_STYLE = /^(?:개요|제목|outline|heading) *(\d{1,2})$/i;
const TITLE_STYLE = /^(?:제목|큰 ?제목|title)$/i;
/**
 * Parses a document of Hancom Office (HWPX: OWPML, KS X 6101): headings by outline and style, paragraphs with the numbers that Hancom makes,
 * tables, text boxes, and notes after their paragraph; pictures, page headers and footers are left out.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, or unpacking to more than it should.
 */
export function parseHwpx(bytes: Uint8Array): ParsedText {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sections: [number: number, xml: Buffer][] = [];
  let styles: Styles = { headings: new Map(), paragraphs: new Map(), shaded: new Set() };
  let numbering = new HancomNumbering(undefined);
  let title = "";
  for (const [name, xml] of xmlParts(archive)) {
    const [, number] = /^Contents\/section(\d+)\.xml$/i.exec(name) ?? [];
    if (number !== undefined) sections.push([Number(number), xml]);
    else if (/^Contents\/header\.xml$/i.test(name)) {
      styles = readStyles(xml);
      numbering = new HancomNumbering(xml);
    } else if (/\.hpf$/i.test(name)) title = readTitle(xml);
    else if (name === "META-INF/manifest.xml" && xml.includes("encryption-data")) {
      throw new RaglineError("request_invalid", "is encrypted: save it without a password");
    }
  }
  if (sections.length === 0)
    throw new RaglineError("request_invalid", "is damaged, or no document of Hancom Office: it has no section");
  const html = sections.sort(([one], [other]) => one - other).map(([, xml]) => readSection(xml, styles, numbering));
  return titled({ ...parseHtml(html.join("\n")), ...(title !== "" && { title }) });
}

function readStyles(xml: Buffer): Styles {
  const headings = new Map<string, number>();
  const paragraphs = new Map<string, number>();
  const shaded = new Set<string>();
  let paragraph = "";
  let background = "";
  parseXml(xml, {
    open(name, { id = "", name: said = "", engName = "", type, level = "0", faceColor = "" }) {
      if (name === "paraPr") paragraph = id;
      else if (name === "borderFill") background = id;
      else if (name === "winBrush" && isShade(faceColor)) shaded.add(background);
      else if (name === "heading" && type === "OUTLINE") paragraphs.set(paragraph, Number(level) + 2);
      else if (name === "style") {
        const depth = depthOf(said) ?? depthOf(engName);
        if (depth !== null) headings.set(id, depth);
      }
    },
  });
  return { headings, paragraphs, shaded };
}

function depthOf(style: string): number | null {
  const [, depth] = HEADING_STYLE.exec(style.trim()) ?? [];
  if (depth !== undefined) return Number(depth) + 1;
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
