import { columnsOf } from "./text-columns.ts";

/** Rows of cells, and how many lines they take. */
export interface TextTable {
  readonly rows: readonly (readonly string[])[];
  readonly lines: number;
}

interface Cell {
  readonly text: string;
  /** In columns of a screen; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

/** A table has so many: pairs of a name and what it says are lines of their own. */
const COLUMNS_MIN = 3;
const ROWS_MIN = 2;
/** Between a cell and its column, as `apart` tells. */
const APART_MAX = 4;
/** Of a row of columns, in UTF-16 units. */
const LINE_LENGTH_MAX = 500;
/** Of a rule that follows, or parts rows: nothing but strokes and what crosses them. */
const RULE = /^\s*[|+┌├└┏┣┗╔╠╚]?[-=─━═]{2}[-=─━═\s|+:┬┼┴┐┤┘┳╋┻┓┫┛╦╬╩╗╣╝]*$/;
const BAR = /[|│┃║]/;
const BARRED = /^\s*[|│┃║].*[|│┃║]\s*$/;
/** Of frames, trees and charts. */
const DRAWN = /[\u2500-\u257f]/;
const SENTENCE_END = /[.!?。]$/;
/** More rules than these (above, below the head, at the end) part every row, which may so have several lines. */
const FRAME_RULES = 3;

/** The table that begins with this line, drawn with bars, parted by tabs or aligned by spaces; null: none does. */
export function tableAt(lines: readonly string[], from: number): TextTable | null {
  return barred(lines, from) ?? tabbed(lines, from) ?? aligned(lines, from);
}

function barred(lines: readonly string[], from: number): TextTable | null {
  const groups: string[][][] = [[]];
  let columns = 0;
  let rules = 0;
  let isFramed = true;
  let at = from;
  for (; at < lines.length; at++) {
    const line = lines[at] as string;
    if (RULE.test(line)) {
      if (groups.length > 1 && groups.at(-1)?.length === 0) break;
      rules++;
      groups.push([]);
      continue;
    }
    const isPlain = !BARRED.test(line);
    const isCommand = isPlain && rules === 0 && at > from;
    const cells = isCommand ? [] : cellsOf(line);
    if (cells.length < 2 || (columns > 0 && cells.length !== columns)) break;
    columns = cells.length;
    isFramed &&= !isPlain;
    groups.at(-1)?.push(cells);
  }
  const rows = rules > FRAME_RULES ? groups.filter((group) => group.length > 0).map(merged) : groups.flat();
  return rows.length >= ROWS_MIN && (isFramed || rules > 0) ? { rows, lines: at - from } : null;
}

function cellsOf(line: string): string[] {
  const inner = BARRED.test(line) ? line.trim().slice(1, -1) : line;
  return inner.split(BAR).map((cell) => cell.trim());
}

/** Lines of one row, cell by cell. */
function merged(group: readonly (readonly string[])[]): string[] {
  return (group[0] ?? []).map((_, column) =>
    group
      .map((cells) => cells[column] ?? "")
      .filter((text) => text !== "")
      .join(" "),
  );
}

/** One tab a column, or as many as align them. */
function tabbed(lines: readonly string[], from: number): TextTable | null {
  for (const separator of [/\t/, /\t+/]) {
    const cells = (line: string) =>
      line
        .trimEnd()
        .split(separator)
        .map((cell) => cell.trim());
    const names = cells(lines[from] ?? "");
    if (names.length < COLUMNS_MIN || names.some((name) => name === "")) continue;
    const rows = [names];
    for (let at = from + 1; at < lines.length; at++) {
      const line = lines[at] as string;
      const row = cells(line);
      // Empty cells at a row's end are often left out.
      if (!line.includes("\t") || row.length > names.length) break;
      rows.push([...row, ...Array<string>(names.length - row.length).fill("")]);
    }
    if (rows.length >= ROWS_MIN) return { rows, lines: rows.length };
  }
  return null;
}

/** Columns of spaces: every cell of a row stands below one of the head's, or nearer to it than to its neighbours. */
function aligned(lines: readonly string[], from: number): TextTable | null {
  if (RULE.test(lines[from] ?? "")) return null;
  const names = spaced(lines[from] ?? "");
  if (names.length < COLUMNS_MIN || names.some(({ text }) => SENTENCE_END.test(text))) return null;
  const rows = [names.map(({ text }) => text)];
  let columns: readonly Cell[] = names;
  let at = from + 1;
  for (; at < lines.length; at++) {
    const line = lines[at] as string;
    if (RULE.test(line)) continue;
    const row = below(columns, spaced(line));
    if (row === null) break;
    rows.push(row.map((cell) => cell?.text ?? ""));
    columns = columns.map((column, i) => widened(column, row[i]));
  }
  // Two lines may have gaps at the same places by chance.
  const isTold = rows.length > ROWS_MIN || rows[1]?.every((cell) => cell !== "");
  return rows.length >= ROWS_MIN && isTold ? { rows, lines: at - from } : null;
}

/** Texts that two spaces or more part; none where there are too many for a table, or the line is drawn. */
function spaced(line: string): Cell[] {
  if (line.length > LINE_LENGTH_MAX || DRAWN.test(line)) return [];
  return [...line.matchAll(/\S+(?:[^\S\t]\S+)*/g)].map(({ 0: text, index }) => {
    const start = columnsOf(line.slice(0, index));
    return { text, start, end: start + columnsOf(text) };
  });
}

/** The cells in the columns of their names, where some may be absent; null: they do not fit them. */
function below(names: readonly Cell[], cells: readonly Cell[]): (Cell | undefined)[] | null {
  if (cells.length < 2 || cells.length > names.length) return null;
  if (cells.length === names.length) {
    return names.every((name, i) => apart(name, cells[i] as Cell) <= APART_MAX) ? [...cells] : null;
  }
  const row = names.map((): Cell | undefined => undefined);
  let next = 0;
  for (const cell of cells) {
    const distances = names.map((name) => apart(name, cell));
    const nearest = distances.indexOf(Math.min(...distances.slice(next)), next);
    if (nearest === -1 || (distances[nearest] ?? 0) > APART_MAX) return null;
    row[nearest] = cell;
    next = nearest + 1;
  }
  return row;
}

/** In columns of a screen; 0: one stands below the other. */
function apart(one: Cell, other: Cell): number {
  return Math.max(0, one.start - other.end + 1, other.start - one.end + 1);
}

/** A column with what stands in it by now. */
function widened(column: Cell, cell: Cell | undefined): Cell {
  if (!cell) return column;
  return { ...column, start: Math.min(column.start, cell.start), end: Math.max(column.end, cell.end) };
}
