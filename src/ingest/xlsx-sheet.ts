import { RaglineError } from "../errors.ts";
import { isSet } from "./ooxml.ts";
import { type Look, type NumberFormat, written } from "./xlsx-numbers.ts";
import { parseXml } from "./xml.ts";

/** As Excel bounds them. */
const COLUMNS_MAX = 16_384;
/** Of all sheets, empty ones beside others included. */
const CELLS_MAX = 250_000;
/** Of all cells together, in UTF-16 units: many may refer to one long text. */
const TEXT_LENGTH_MAX = 64_000_000;

/** What cells refer to. */
export interface Shared {
  readonly texts: readonly string[];
  readonly formats: readonly NumberFormat[];
  readonly looks: readonly Look[];
  /** Days are counted from 1904. */
  readonly is1904: boolean;
}

export interface Cell {
  readonly text: string;
  readonly isShaded: boolean;
  columns: number;
  rows: number;
}

/** What all sheets together may still have. */
export interface Room {
  cells: number;
  textLength: number;
  /** How many have been found that have no value: their workbook was never calculated. */
  formulas: number;
}

export function roomOfWorkbook(): Room {
  return { cells: CELLS_MAX, textLength: TEXT_LENGTH_MAX, formulas: 0 };
}

/** What has anything, by row, then by column, from 1. */
export type Rows = Map<number, Map<number, Cell>>;

/**
 * The cells of a sheet that are shown. What is hidden by a filter or in a group that is folded counts as shown.
 * @param isFiltered whether a table in it hides rows
 * @throws RaglineError `request_invalid` with the bare reason: more than there is room for
 */
export function readRows(xml: Buffer, shared: Shared, isFiltered: boolean, room: Room): Rows {
  const rows: Rows = new Map();
  let cells = 0;
  const hidden = { rows: new Set<number>(), columns: new Set<number>() };
  let hiddenColumns = 0;
  let hasFilter = isFiltered;
  let place = { row: 0, column: 0 };
  let cell = { type: "n", style: 0, value: "", isFormula: false, hasValue: false };
  let isValue = false;
  let phonetic = 0;
  parseXml(xml, {
    open(name, { r, t = "n", s = "0", ref = "", min, max, hidden: isHidden, outlineLevel = "0" }) {
      const isAway = isSet(isHidden) && outlineLevel === "0";
      if (name === "row") {
        place = { row: Number(r ?? place.row + 1), column: 0 };
        if (isAway) hidden.rows.add(place.row);
      } else if (name === "col" && isAway) {
        for (let column = Number(min); column <= Number(max) && hiddenColumns < COLUMNS_MAX; column++) {
          hidden.columns.add(column);
          hiddenColumns++;
        }
      } else if (name === "filterColumn") hasFilter = true;
      else if (name === "c") {
        place = placeOf(r) ?? { ...place, column: place.column + 1 };
        cell = { type: t, style: Number(s), value: "", isFormula: false, hasValue: false };
      } else if (name === "mergeCell") merge(rows, ref);
      else if (name === "rPh") phonetic++;
      else isValue = (name === "v" || name === "t") && phonetic === 0;
      if (name === "f") cell.isFormula = true;
      else if (name === "v") cell.hasValue = true;
    },
    text(text) {
      if (isValue) cell.value += text;
    },
    close(name) {
      isValue = false;
      if (name === "rPh") phonetic--;
      if (name !== "c") return;
      if (cell.isFormula && (!cell.hasValue || (cell.value === "" && cell.type === "n"))) room.formulas++;
      const text = shownAs(cell, shared);
      if (text === "") return;
      room.textLength -= text.length;
      if (++cells > room.cells || room.textLength < 0) throw tooMuch(room);
      const isShaded = shared.looks[cell.style]?.isShaded ?? false;
      const row = rows.get(place.row) ?? new Map<number, Cell>();
      rows.set(place.row, row.set(place.column, { text, isShaded, columns: 1, rows: 1 }));
    },
  });
  if (hasFilter) hidden.rows.clear();
  drop(rows, lastsOf(hidden.rows), lastsOf(hidden.columns));
  room.cells -= rows.size * columnsOf(rows.values()).length;
  if (room.cells < 0) throw tooMuch(room);
  return rows;
}

function tooMuch({ textLength }: Room): RaglineError {
  const what = textLength < 0 ? `${TEXT_LENGTH_MAX} characters in its cells` : `${CELLS_MAX} cells`;
  return new RaglineError("request_invalid", `has more than ${what}`);
}

/** By what is hidden, the last of those hidden without a gap from there on. */
function lastsOf(hidden: ReadonlySet<number>): ReadonlyMap<number, number> {
  const lasts = new Map<number, number>();
  for (const number of [...hidden].sort((a, b) => b - a)) lasts.set(number, lasts.get(number + 1) ?? number);
  return lasts;
}

/**
 * Rows stay, empty: what is hidden parts no tables. A merged cell that reaches from what is hidden to what is shown begins there.
 */
function drop(rows: Rows, hiddenRows: ReadonlyMap<number, number>, hiddenColumns: ReadonlyMap<number, number>): void {
  const moved: (Cell & { readonly row: number; readonly column: number })[] = [];
  for (const [number, cells] of rows) {
    const row = (hiddenRows.get(number) ?? number - 1) + 1;
    for (const [first, cell] of cells) {
      const column = (hiddenColumns.get(first) ?? first - 1) + 1;
      if (row === number && column === first) continue;
      cells.delete(first);
      const left = { ...cell, columns: first + cell.columns - column, rows: number + cell.rows - row };
      if (left.columns > 0 && left.rows > 0) moved.push({ ...left, row, column });
    }
  }
  for (const { row, column, ...cell } of moved)
    rows.set(row, (rows.get(row) ?? new Map<number, Cell>()).set(column, cell));
}

/** Columns that have anything, in order. */
export function columnsOf(rows: Iterable<ReadonlyMap<number, Cell>>): number[] {
  const columns = new Set<number>();
  for (const row of rows) for (const column of row.keys()) columns.add(column);
  return [...columns].sort((a, b) => a - b);
}

/** Marked, as it no longer holds. */
export function struck(text: string): string {
  return text.trim() === "" ? text : `~~${text}~~`;
}

function shownAs(cell: Parameters<typeof said>[0], shared: Shared): string {
  const text = said(cell, shared);
  return shared.looks[cell.style]?.isStruck ? struck(text) : text;
}

function said(
  { type, style, value }: { readonly type: string; readonly style: number; readonly value: string },
  { texts, formats, is1904 }: Shared,
): string {
  if (value === "" || type === "e") return "";
  if (type === "s") return (texts[Number(value)] ?? "").trim();
  if (type === "b") return value === "1" ? "TRUE" : "FALSE";
  if (type === "n") return written(Number(value), formats[style] ?? null, is1904);
  return value.trim();
}

/** `B3`, columns and rows from 1. */
function placeOf(name = ""): { row: number; column: number } | null {
  const [, letters, row] = /^\$?([A-Z]{1,3})\$?(\d{1,7})$/.exec(name) ?? [];
  if (letters === undefined) return null;
  return { row: Number(row), column: [...letters].reduce((sum, letter) => 26 * sum + letter.charCodeAt(0) - 64, 0) };
}

function merge(rows: Rows, ref: string): void {
  const [from, to] = ref.split(":").map((name) => placeOf(name));
  const cell = from && rows.get(from.row)?.get(from.column);
  if (!cell || !to || to.column < from.column || to.row < from.row) return;
  Object.assign(cell, { columns: to.column - from.column + 1, rows: to.row - from.row + 1 });
}
