import { NAME } from "./html-table.ts";
import { type Cell, columnsOf, type Rows } from "./xlsx-sheet.ts";
import { escaped } from "./xml.ts";

type Row = readonly [number: number, cells: ReadonlyMap<number, Cell>];

const NOTHING: Cell = { text: "", isShaded: false, columns: 1, rows: 1 };

/** As HTML: tables, which empty rows part, and empty columns those beside each other, with what stands above them. */
export function htmlOf(rows: Rows): string {
  return [...partsOf(rows)]
    .flatMap((part) => [...sidesOf(part)])
    .map((part) => partHtml(part))
    .join("");
}

/**
 * Tables beside each other: of two columns or more each, with an empty column between them, and over other rows. Over the same rows the
 * column is one of a table's own, as are those of what has a single column.
 */
function* sidesOf(part: readonly Row[]): Generator<Row[]> {
  let rest = [...part];
  for (const column of emptyColumns(part)) {
    const [left, right] = [rest, rest].map((rows, i) =>
      rows.flatMap(([number, cells]): Row[] => {
        const own = [...cells].filter(([at]) => (i === 0 ? at < column : at > column));
        return own.length > 0 ? [[number, new Map(own)]] : [];
      }),
    );
    if (!left || !right || !areApart(left, right)) continue;
    yield left;
    rest = right;
  }
  yield rest;
}

/** Between the first and the last that have anything, or that a merged cell reaches over. */
function emptyColumns(part: readonly Row[]): number[] {
  const spans = part.flatMap(([, cells]) =>
    [...cells].map(([from, { columns }]) => [from, from + columns - 1] as const),
  );
  const empty: number[] = [];
  let until = Number.POSITIVE_INFINITY;
  for (const [from, to] of spans.sort(([a], [b]) => a - b)) {
    if (from > until + 1) empty.push(until + 1);
    until = until === Number.POSITIVE_INFINITY ? to : Math.max(until, to);
  }
  return empty;
}

/** Rows of one cell, a name above or a note below, count for neither. */
function areApart(left: readonly Row[], right: readonly Row[]): boolean {
  const [one, other] = [left, right].map((rows) =>
    rows.filter(([, cells]) => cells.size > 1).map(([number]) => number),
  );
  if (!one || !other || one.length < 2 || other.length < 2) return false;
  return one[0] !== other[0] || one.at(-1) !== other.at(-1);
}

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
    if (cells.size > 0) part.push(row);
    until = Math.max(until, number);
    for (const { rows } of cells.values()) until = Math.max(until, number + rows - 1);
  }
  if (part.length > 0) yield part;
}

/** Rows of one cell at the beginning are the table's name, or a word on it: header rows have more. */
function partHtml(part: readonly Row[]): string {
  const [firstColumn = 0] = columnsOf(part.map(([, cells]) => cells));
  let html = "";
  let from = 0;
  for (const [number, cells] of part) {
    const [only] = cells;
    const next = part[from + 1];
    if (!only || cells.size > 1 || !next) break;
    const [column, { text, columns, rows }] = only;
    const isOverGroup = columns > 1 && column > firstColumn;
    if (isOverGroup || next[0] < number + rows) break;
    html += `<p>${escaped(text)}</p>`;
    from++;
  }
  return html + tableOf(part.slice(from));
}

/** Merged cells span as many of its columns and rows as have anything. */
function tableOf(part: readonly Row[]): string {
  const columns = columnsOf(part.map(([, cells]) => cells));
  const numbers = part.map(([number]) => number);
  /** By column, the last row that a merged cell above reaches. */
  const covered = new Map<number, number>();
  const lines = part.map(([number, cells], at) => {
    let line = "";
    for (const [i, column] of columns.entries()) {
      if ((covered.get(column) ?? 0) >= number) continue;
      const cell = cells.get(column) ?? NOTHING;
      const last = number + cell.rows - 1;
      let across = 1;
      for (; (columns[i + across] ?? Number.POSITIVE_INFINITY) < column + cell.columns; across++) {
        covered.set(columns[i + across] ?? 0, last);
      }
      if (cell.rows > 1) covered.set(column, last);
      line += `<td${cell.isShaded ? ` ${NAME}` : ""} colspan="${across}" rowspan="${countUntil(numbers, last) - at}">${escaped(cell.text)}</td>`;
    }
    return `<tr>${line}</tr>`;
  });
  return `<table>${lines.join("")}</table>`;
}

/** How many of these numbers, in order, are at most `last`. */
function countUntil(numbers: readonly number[], last: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}
