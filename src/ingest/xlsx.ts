import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { Parts, refuseOldOrEncrypted } from "./ooxml.ts";
import { isSet } from "./pptx.ts";
import { type NumberFormat, readFormats, written } from "./xlsx-numbers.ts";
import { escaped, parseXml } from "./xml.ts";

const WORKBOOK = "xl/workbook.xml";
/** Of all sheets, empty ones beside others included. */
const CELLS_MAX = 250_000;

/** What cells refer to. */
interface Shared {
  readonly texts: readonly string[];
  readonly formats: readonly NumberFormat[];
  /** Days are counted from 1904. */
  readonly is1904: boolean;
}

interface Cell {
  readonly text: string;
  columns: number;
  rows: number;
}

const NOTHING: Cell = { text: "", columns: 1, rows: 1 };

/** What has anything, by row, then by column. */
type Rows = Map<number, Map<number, Cell>>;

/**
 * Parses a workbook of Excel (XLSX): each sheet that is shown is a heading and its tables, which empty rows part; merged cells, dates and shares as they are shown,
 * other numbers as they are. Formulas count by their last value; comments, charts and pictures are left out.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, more than 250,000 cells, or unpacking to more than it should.
 */
export function parseXlsx(bytes: Uint8Array): ParsedText {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  refuseOldOrEncrypted(archive, ".xls", ".xlsx");
  const parts = new Parts(archive);
  const workbook = parts.get(WORKBOOK);
  if (!workbook) throw new RaglineError("request_invalid", "is no XLSX document: it has no workbook");
  const references = parts.references(WORKBOOK);
  const sheets: { readonly name: string; readonly path: string }[] = [];
  let is1904 = false;
  parseXml(workbook, {
    open(element, { name = "", state = "visible", date1904, ...attributes }) {
      if (element === "workbookPr") is1904 = isSet(date1904);
      else if (element === "sheet" && state === "visible") {
        sheets.push({ name, path: references.get(attributes["r:id"] ?? "")?.path ?? "" });
      }
    },
  });
  const shared = {
    texts: readTexts(parts.get("xl/sharedStrings.xml")),
    formats: readFormats(parts.get("xl/styles.xml")),
    is1904,
  };
  let left = CELLS_MAX;
  const html = sheets.map(({ name, path }) => {
    const xml = parts.get(path);
    const rows: Rows = xml ? readRows(xml, shared) : new Map();
    left -= rows.size * columnsOf(rows.values()).length;
    if (left < 0) throw new RaglineError("request_invalid", `has more than ${CELLS_MAX} cells`);
    return rows.size === 0 ? "" : `<h2>${escaped(name)}</h2>${[...partsOf(rows)].map(tableOf).join("")}`;
  });
  return parseHtml(html.join("\n"));
}

function readTexts(xml: Buffer | undefined): string[] {
  const texts: string[] = [];
  let isText = false;
  let phonetic = 0;
  if (xml) {
    parseXml(xml, {
      open(name) {
        if (name === "si") texts.push("");
        else if (name === "rPh") phonetic++;
        else isText = name === "t" && phonetic === 0;
      },
      text(text) {
        if (isText) texts.push((texts.pop() ?? "") + text);
      },
      close(name) {
        if (name === "rPh") phonetic--;
        isText = false;
      },
    });
  }
  return texts;
}

function readRows(xml: Buffer, shared: Shared): Rows {
  const rows: Rows = new Map();
  let place = { row: 0, column: 0 };
  let cell = { type: "n", style: 0, value: "" };
  let isValue = false;
  parseXml(xml, {
    open(name, { r, t = "n", s = "0", ref }) {
      if (name === "row") place = { row: Number(r ?? place.row + 1), column: 0 };
      else if (name === "c") {
        place = placeOf(r) ?? { ...place, column: place.column + 1 };
        cell = { type: t, style: Number(s), value: "" };
      } else if (name === "mergeCell") merge(rows, ref ?? "");
      else isValue = name === "v" || name === "t";
    },
    text(text) {
      if (isValue) cell.value += text;
    },
    close(name) {
      isValue = false;
      if (name !== "c") return;
      const text = shownAs(cell, shared);
      if (text === "") return;
      const row = rows.get(place.row) ?? new Map<number, Cell>();
      rows.set(place.row, row.set(place.column, { text, columns: 1, rows: 1 }));
    },
  });
  return rows;
}

function shownAs(
  { type, style, value }: { readonly type: string; readonly style: number; readonly value: string },
  { texts, formats, is1904 }: Shared,
): string {
  if (value === "" || type === "e") return "";
  if (type === "s") return (texts[Number(value)] ?? "").trim();
  if (type === "b") return value === "1" ? "TRUE" : "FALSE";
  if (type === "n") return written(Number(value), formats[style] ?? "plain", is1904);
  return value.trim();
}

/** `B3`, columns and rows from 1. */
function placeOf(name = ""): { row: number; column: number } | null {
  const [, letters, row] = /^([A-Z]{1,3})(\d{1,7})$/.exec(name) ?? [];
  if (letters === undefined) return null;
  return { row: Number(row), column: [...letters].reduce((sum, letter) => 26 * sum + letter.charCodeAt(0) - 64, 0) };
}

function merge(rows: Rows, ref: string): void {
  const [from, to] = ref.split(":").map((name) => placeOf(name));
  const cell = from && rows.get(from.row)?.get(from.column);
  if (cell && to) Object.assign(cell, { columns: to.column - from.column + 1, rows: to.row - from.row + 1 });
}

/** Those that have anything, in order. */
function columnsOf(rows: Iterable<ReadonlyMap<number, Cell>>): number[] {
  const columns = new Set<number>();
  for (const row of rows) for (const column of row.keys()) columns.add(column);
  return [...columns].sort((a, b) => a - b);
}

type Row = readonly [number: number, cells: ReadonlyMap<number, Cell>];

/** Empty rows part tables, unless a merged cell reaches over them. */
function* partsOf(rows: Rows): Generator<Row[]> {
  let part: Row[] = [];
  let until = 0;
  for (const row of [...rows].sort(([a], [b]) => a - b)) {
    const [number, cells] = row;
    if (part.length > 0 && number > until + 1) {
      yield part;
      part = [];
    }
    part.push(row);
    until = Math.max(until, number);
    for (const { rows } of cells.values()) until = Math.max(until, number + rows - 1);
  }
  if (part.length > 0) yield part;
}

/** Merged cells span as many of its columns and rows as have anything. */
function tableOf(part: readonly Row[]): string {
  const columns = columnsOf(part.map(([, cells]) => cells));
  /** By column, the last row that a merged cell above reaches. */
  const covered = new Map<number, number>();
  const lines = part.map(([number, cells]) => {
    let line = "";
    for (const [i, column] of columns.entries()) {
      if ((covered.get(column) ?? 0) >= number) continue;
      const cell = cells.get(column) ?? NOTHING;
      let across = 1;
      for (; (columns[i + across] ?? Number.POSITIVE_INFINITY) < column + cell.columns; across++) {
        covered.set(columns[i + across] ?? 0, number + cell.rows - 1);
      }
      const last = number + cell.rows - 1;
      if (cell.rows > 1) covered.set(column, last);
      const down = cell.rows > 1 ? part.filter(([other]) => other >= number && other <= last).length : 1;
      line += `<td colspan="${across}" rowspan="${down}">${escaped(cell.text)}</td>`;
    }
    return `<tr>${line}</tr>`;
  });
  return `<table>${lines.join("")}</table>`;
}
