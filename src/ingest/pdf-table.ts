import type { Block } from "./document.ts";
import { TableReader } from "./html-table.ts";
import type { Grid } from "./pdf-grid.ts";
import { cellLines, type Line } from "./pdf-lines.ts";

/** A cell with the lines in it. */
export interface LinedCell {
  readonly columns: number;
  readonly rows: number;
  readonly lines: readonly Line[];
}

/** In points: columns of two pages that begin no farther apart are those of one table. */
const NEAR = 3;

export function linedCells({ cells }: Grid): LinedCell[][] {
  return cells.map((row) => row.map(({ fragments, ...cell }) => ({ ...cell, lines: cellLines(fragments) })));
}

/** Whether a table goes on in the other, which comes next. */
export function goesOnIn({ xs }: Grid, other: Grid): boolean {
  return xs.length === other.xs.length && xs.every((x, i) => Math.abs(x - (other.xs[i] ?? 0)) <= NEAR);
}

/**
 * A table as blocks. One that goes on from the page before begins with the header that stands there.
 * @param header of the page that the table begins on; empty: on this one
 */
export function tableBlocks(
  rows: readonly (readonly LinedCell[])[],
  header: readonly LinedCell[],
  join: (lines: readonly Line[]) => string,
  room: { left: number },
): Block[] {
  const reader = new TableReader(room);
  const said = (row: readonly LinedCell[]) => row.map(({ lines }) => join(lines));
  const isRepeated = said(header).join() === said(rows[0] ?? []).join();
  const isSimple = header.every((cell) => cell.rows === 1);
  let text = "";
  for (const row of isRepeated || !isSimple || header.length === 0 ? rows : [header, ...rows]) {
    reader.openRow(text);
    text = "";
    for (const { columns, rows, lines } of row) {
      reader.openCell(text, false, { colspan: String(columns), rowspan: String(rows) });
      text = join(lines);
    }
  }
  return reader.close(text);
}
