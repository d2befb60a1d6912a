import type { Block } from "./document.ts";
import { NAME, SEPARATOR, TableReader } from "./html-table.ts";
import { isOn, isShade } from "./ooxml.ts";
import { type Attributes, attributeOf } from "./xml.ts";

interface Cell {
  readonly blocks: readonly Block[];
  columns: number;
  /** It has a background. */
  isShaded: boolean;
  /** It goes on from the cell above. */
  isMerged: boolean;
}

interface Row {
  /** Grid columns before its first cell. */
  before: number;
  isHeader: boolean;
  isDeleted: boolean;
  readonly cells: Cell[];
}

/** The tables that are being read, one in a cell of another. */
export class Tables {
  readonly #rows: Row[][] = [];
  readonly #cells: Omit<Cell, "blocks">[] = [];

  open(): void {
    this.#rows.push([]);
  }

  openRow(): void {
    this.#rows.at(-1)?.push({ before: 0, isHeader: false, isDeleted: false, cells: [] });
  }

  openCell(): void {
    this.#cells.push({ columns: 1, isShaded: false, isMerged: false });
  }

  /** A property of the row or the cell that was opened last. */
  describe(name: string, attributes: Attributes): void {
    const value = attributeOf(attributes, "val");
    const row = this.#rows.at(-1)?.at(-1);
    const cell = this.#cells.at(-1);
    if (name === "gridSpan" && cell) cell.columns = Number(value) || 1;
    else if (name === "shd" && cell) cell.isShaded = isShade(attributeOf(attributes, "fill"));
    else if (name === "vMerge" && cell) cell.isMerged = value !== "restart";
    else if (name === "gridBefore" && row) row.before = Number(value) || 0;
    else if (name === "tblHeader" && row) row.isHeader = isOn(value);
    else if (name === "del" && row) row.isDeleted = true;
  }

  closeCell(blocks: readonly Block[]): void {
    const cell = this.#cells.pop();
    if (cell)
      this.#rows
        .at(-1)
        ?.at(-1)
        ?.cells.push({ ...cell, blocks });
  }

  /** @param room what merged cells and headers of the document may still be repeated in, in UTF-16 units */
  close(room: { left: number }): readonly Block[] {
    return tableBlocks(this.#rows.pop() ?? [], room);
  }
}

/** A table as blocks; one of a single cell is a frame around what stands in it. */
function tableBlocks(all: readonly Row[], room: { left: number }): readonly Block[] {
  const rows = all.filter(({ isDeleted }) => !isDeleted);
  const [only] = rows;
  if (rows.length === 1 && only?.cells.length === 1) return only.cells[0]?.blocks ?? [];
  const reaches = reachesOf(rows);
  const reader = new TableReader(room);
  let said = "";
  for (const { before, isHeader, cells } of rows) {
    reader.openRow(said);
    said = "";
    if (before > 0) reader.openCell("", false, { colspan: String(before) });
    for (const cell of cells) {
      const rows = reaches.get(cell);
      if (rows === undefined) continue;
      const spans = { colspan: String(cell.columns), rowspan: String(rows) };
      reader.openCell(said, isHeader, cell.isShaded ? { ...spans, [NAME]: "" } : spans);
      said = cell.blocks.map(saidInCell).join(" ");
    }
  }
  return reader.close(said);
}

/** The cells of a table in a cell are none of the table around it. */
function saidInCell({ kind, text }: Block): string {
  return kind === "table" ? text.replaceAll(SEPARATOR, " ") : text;
}

/** How many rows each cell reaches over, without those that go on from above. */
function reachesOf(rows: readonly Row[]): ReadonlyMap<Cell, number> {
  const reaches = new Map<Cell, number>();
  let above = new Map<number, Cell>();
  for (const { before, cells } of rows) {
    const here = new Map<number, Cell>();
    let column = before;
    for (const cell of cells) {
      const begun = cell.isMerged ? above.get(column) : undefined;
      reaches.set(begun ?? cell, (begun ? (reaches.get(begun) ?? 1) : 0) + 1);
      here.set(column, begun ?? cell);
      column += cell.columns;
    }
    above = here;
  }
  return reaches;
}
