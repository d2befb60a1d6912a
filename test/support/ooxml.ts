import { makeZip } from "./zip.ts";

const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
export const references = (all: Readonly<Record<string, readonly [type: string, target: string]>>) =>
  `<Relationships>${Object.entries(all)
    .map(([id, [type, target]]) => `<Relationship Id="${id}" Type="${OFFICE}/${type}" Target="${target}"/>`)
    .join("")}</Relationships>`;

/** A presentation with these slides' shapes and notes, in the order of `order`. */
export function makePptx(
  slides: readonly { readonly shapes: string; readonly notes?: string }[],
  order: readonly number[] = slides.map((_, i) => i),
  more: Readonly<Record<string, string>> = {},
): Buffer {
  const files: Record<string, string> = {
    "ppt/presentation.xml": `<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>${order.map((i) => `<p:sldId id="${256 + i}" r:id="s${i}"/>`).join("")}</p:sldIdLst></p:presentation>`,
    "ppt/_rels/presentation.xml.rels": references(
      Object.fromEntries(slides.map((_, i) => [`s${i}`, ["slide", `slides/slide${i}.xml`]])),
    ),
  };
  for (const [i, { shapes, notes }] of slides.entries()) {
    files[`ppt/slides/slide${i}.xml`] = `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld>${shapes}</p:cSld></p:sld>`;
    if (notes === undefined) continue;
    files[`ppt/slides/_rels/slide${i}.xml.rels`] = references({
      n: ["notesSlide", `../notesSlides/notesSlide${i}.xml`],
    });
    files[`ppt/notesSlides/notesSlide${i}.xml`] = `<p:notes>${notes}</p:notes>`;
  }
  return makeZip({ ...files, ...more });
}

/** A shape's text, of a placeholder of this type. */
export function shape(lines: readonly string[], placeholder?: string): string {
  const paragraphs = lines.map((line) => `<a:p><a:r><a:t>${line}</a:t></a:r></a:p>`).join("");
  const type = placeholder === undefined ? "" : `<p:nvPr><p:ph type="${placeholder}"/></p:nvPr>`;
  return `<p:sp><p:nvSpPr>${type}</p:nvSpPr><p:txBody>${paragraphs}</p:txBody></p:sp>`;
}

interface Workbook {
  /** By name, the XML of its cells; a name that begins with `-` is hidden. */
  readonly sheets: Readonly<Record<string, string>>;
  readonly texts?: readonly string[];
  readonly styles?: string;
  readonly properties?: string;
  /** Other parts, by their paths. */
  readonly more?: Readonly<Record<string, string>>;
}

export function makeXlsx({ sheets, texts = [], styles = "", properties = "", more = {} }: Workbook): Buffer {
  const all = Object.entries(sheets);
  const list = all.map(([name], i) => {
    const state = name.startsWith("-") ? ' state="hidden"' : "";
    return `<sheet name="${name}" sheetId="${i + 1}"${state} r:id="s${i}"/>`;
  });
  return makeZip({
    "xl/workbook.xml": `<workbook xmlns:r="r"><workbookPr ${properties}/><sheets>${list.join("")}</sheets></workbook>`,
    "xl/_rels/workbook.xml.rels": references(
      Object.fromEntries(all.map((_, i) => [`s${i}`, ["worksheet", `/xl/worksheets/sheet${i}.xml`]])),
    ),
    "xl/sharedStrings.xml": `<sst>${texts.map((text) => `<si>${text}</si>`).join("")}</sst>`,
    "xl/styles.xml": `<styleSheet>${styles}</styleSheet>`,
    ...Object.fromEntries(all.map(([, xml], i) => [`xl/worksheets/sheet${i}.xml`, `<worksheet>${xml}</worksheet>`])),
    ...more,
  });
}
