import type { ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { isOn, isSet, openDocument, type Parts, referenceOf } from "./ooxml.ts";
import { slideHtml } from "./pptx-slide.ts";
import { readFormats, readLooks } from "./xlsx-numbers.ts";
import { type Room, readRows, roomOfWorkbook, type Shared, struck } from "./xlsx-sheet.ts";
import { htmlOf } from "./xlsx-table.ts";
import { escaped, parseXml } from "./xml.ts";

const FORMAT = { ending: "xlsx", usual: "xl/workbook.xml", root: "workbook" } as const;
const DRAWING = "/drawing";
const TABLE = "/table";

/**
 * Parses a workbook of Excel (XLSX): each sheet that is shown is a heading and its tables, which empty rows part, and the text of its
 * text boxes; merged cells, numbers, dates and shares as they are shown. Formulas count by their last value; hidden rows and columns,
 * comments, charts and pictures are left out.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, more than 250,000 cells, or unpacking to more than it
 * should.
 */
export function parseXlsx(bytes: Uint8Array): ParsedText {
  const { parts, path, xml: workbook } = openDocument(bytes, FORMAT);
  const references = parts.references(path);
  const sheets: { readonly name: string; readonly path: string }[] = [];
  let is1904 = false;
  parseXml(workbook, {
    open(element, attributes) {
      if (element === "workbookPr") is1904 = isSet(attributes.date1904);
      else if (element === "sheet" && (attributes.state ?? "visible") === "visible") {
        sheets.push({ name: attributes.name ?? "", path: references.get(referenceOf(attributes))?.path ?? "" });
      }
    },
  });
  const partOf = (name: string) =>
    parts.get([...references.values()].find(({ type }) => type.endsWith(`/${name}`))?.path ?? `xl/${name}.xml`);
  const shared = {
    texts: readTexts(partOf("sharedStrings")),
    formats: readFormats(partOf("styles")),
    looks: readLooks(partOf("styles")),
    is1904,
  };
  const room = roomOfWorkbook();
  const parsed = parseHtml(sheets.map(({ name, path }) => sheetHtml(name, path, parts, shared, room)).join("\n"));
  const notice =
    room.formulas > 0 &&
    `cells with a formula and no value: ${room.formulas}; open it in Excel and save it, for their results`;
  return { ...parsed, ...(notice && { notice }) };
}

function sheetHtml(name: string, path: string, parts: Parts, shared: Shared, room: Room): string {
  const xml = parts.get(path);
  if (!xml) return "";
  const references = [...parts.references(path).values()];
  const partsOf = (type: string) =>
    references.flatMap((reference) => (reference.type.endsWith(type) ? (parts.get(reference.path) ?? []) : []));
  const isFiltered = partsOf(TABLE).some((table) => table.includes("filterColumn"));
  const html = htmlOf(readRows(xml, shared, isFiltered, room));
  const boxes = partsOf(DRAWING).map((drawing) => slideHtml(drawing));
  const said = html + boxes.filter((box) => parseHtml(box).blocks.length > 0).join("");
  return said === "" ? "" : `<h2>${escaped(name)}</h2>${said}`;
}

/** What is raised or struck out in them is told apart: 10² is not 102. */
function readTexts(xml: Buffer | undefined): string[] {
  const texts: string[] = [];
  let isText = false;
  let phonetic = 0;
  let isRaised = false;
  let isStruck = false;
  if (xml) {
    parseXml(xml, {
      open(name, { val = "" }) {
        if (name === "si") texts.push("");
        else if (name === "rPh") phonetic++;
        else if (name === "r") isRaised = isStruck = false;
        else if (name === "vertAlign") isRaised = val === "superscript";
        else if (name === "strike") isStruck = isOn(val);
        isText = name === "t" && phonetic === 0;
      },
      text(text) {
        if (!isText) return;
        const before = texts.pop() ?? "";
        const mark = isRaised && /\d$/.test(before) && /^\d/.test(text) ? "^" : "";
        texts.push(before + mark + (isStruck ? struck(text) : text));
        isRaised = false;
      },
      close(name) {
        if (name === "rPh") phonetic--;
        if (name === "si") isRaised = isStruck = false;
        isText = false;
      },
    });
  }
  return texts;
}
