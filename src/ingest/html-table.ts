import type { Block } from "./document.ts";
import { collapse } from "./normalize.ts";

interface Cell {
  text: string;
  readonly columns: number;
  readonly rows: number;
  readonly isHeader: boolean;
  /** Set off as names of what stands beside it are. */
  readonly isName: boolean;
}

/** Where a row meets a column. */
type Place = Pick<Cell, "text" | "isName">;

/** A row with what reaches into it from above, and where its own cells begin. */
interface Row {
  readonly cells: readonly Cell[];
  readonly places: readonly Place[];
}

/** As HTML bounds them. */
const COLSPAN_MAX = 1_000;
const ROWSPAN_MAX = 65_534;
/** A longer text stands in the first of the places that its cell spans alone. */
const REPEATED_LENGTH_MAX = 100;
/** An attribute of cells with a background, which may be names of what stands beside them. */
export const NAME = "data-name";
const HEADER_ROWS_MAX = 3;
/** Between the cells of a row. */
export const SEPARATOR = " | ";

/**
 * A table as it is read. Merged cells stand in every row and column that they span, so that each row makes sense alone; header
 * rows become one; a cell with nothing beside it is text between two tables that both have the header. A form, in which a header cell stands
 * before each other one, is a list of what they say.
 */
export class TableReader {
  readonly #rows: Cell[][] = [];
  readonly #room: { left: number };

  /** `room.left`: UTF-16 units that repeated cells and headers may still take; where none are left, nothing is repeated. */
  constructor(room: { left: number }) {
    this.#room = room;
  }

  /** `text`, here and below: what was read since the last row or cell began. */
  openRow(text: string): void {
    this.#write(text);
    this.#rows.push([]);
  }

  openCell(text: string, isHeader: boolean, attributes: Readonly<Record<string, string>>): void {
    this.#write(text);
    this.#add({
      text: "",
      columns: spanOf(attributes.colspan, COLSPAN_MAX) || 1,
      rows: spanOf(attributes.rowspan, ROWSPAN_MAX) || ROWSPAN_MAX,
      isHeader,
      isName: isHeader || NAME in attributes,
    });
  }

  close(text: string): Block[] {
    this.#write(text);
    const rows = this.#spread();
    const grid = rows.filter((row) => typeof row !== "string");
    if (grid.length === 0) return rows.length > 0 ? [{ kind: "table", text: rows.join("\n") }] : [];
    if (isForm(grid)) return [{ kind: "list", text: rows.flatMap(formLines).join("\n") }];
    const depth = headerDepth(grid);
    const header = depth > 0 ? headerOf(grid.slice(0, depth)) : "";
    const blocks: Block[] = [];
    const isBody = new Set(grid.slice(depth));
    let part: string[] = [];
    let isFirst = true;
    const endPart = () => {
      if (part.length === 0) return;
      const isHeaded = depth > 0 && (isFirst || this.#takes(header));
      blocks.push({ kind: "table", text: (isHeaded ? [header, ...part] : part).join("\n") });
      isFirst = false;
      part = [];
    };
    for (const row of rows) {
      if (typeof row === "string") {
        endPart();
        blocks.push({ kind: "text", text: row });
      } else if (isBody.has(row)) part.push(row.places.map(({ text }) => text).join(SEPARATOR));
    }
    endPart();
    return blocks;
  }

  #write(text: string): void {
    const said = collapse(text);
    if (said === "") return;
    const cell = this.#rows.at(-1)?.at(-1);
    if (cell) cell.text = said;
    else this.#add({ text: said, columns: 1, rows: 1, isHeader: false, isName: false });
  }

  #add(cell: Cell): void {
    const row = this.#rows.at(-1);
    if (row) row.push(cell);
    else this.#rows.push([cell]);
  }

  #takes(text: string): boolean {
    this.#room.left -= text.length + SEPARATOR.length;
    return this.#room.left >= 0;
  }

  /** The rows that say something, with the columns in which any cell begins; as text, those of one cell with nothing beside it. */
  #spread(): (Row | string)[] {
    const begun = new Set<number>();
    const spans: ({ readonly place: Place; rows: number } | undefined)[] = [];
    const rows = this.#rows.map((cells) => {
      const [only] = cells;
      if (only && cells.length === 1 && spans.length === 0) return only.text;
      const places: Place[] = [];
      const repeat = (place: Place) => {
        if (this.#takes(place.text)) places.push(place);
        else spans.length = 0;
      };
      const passSpan = () => {
        const span = spans[places.length];
        if (span && --span.rows === 0) spans[places.length] = undefined;
        repeat(span?.place ?? { text: "", isName: false });
      };
      for (const cell of cells) {
        while (spans[places.length]) passSpan();
        const start = places.length;
        begun.add(start);
        const repeated = cell.text.length <= REPEATED_LENGTH_MAX ? cell : { ...cell, text: "" };
        places.push(cell);
        while (places.length < start + cell.columns && this.#room.left > 0) repeat(repeated);
        const span = cell.rows > 1 ? { place: repeated, rows: cell.rows - 1 } : undefined;
        for (let column = start; column < places.length; column++) spans[column] = span && { ...span };
      }
      while (places.length < spans.length) passSpan();
      while (spans.length > 0 && !spans.at(-1)) spans.pop();
      return { cells, places };
    });
    return rows.flatMap((row) => {
      if (typeof row === "string") return row === "" ? [] : row;
      if (row.cells.every(({ text }) => text === "")) return [];
      return { ...row, places: row.places.filter((_, column) => begun.has(column)) };
    });
  }
}

function spanOf(value: string | undefined, max: number): number {
  const span = Number.parseInt(value ?? "1", 10);
  return span >= 0 ? Math.min(span, max) : 1;
}

/** Whether each row says what is what by itself: names, then one other cell, and so on. A cell alone may stand between such rows. */
function isForm(rows: readonly Row[]): boolean {
  const kinds = rows.map((row) =>
    saidOnce(row)
      .map(({ isName }) => (isName ? "h" : "d"))
      .join(""),
  );
  return kinds.some((kind) => kind.length > 1) && kinds.every((kind) => /^(?:(?:h+d)+|[hd])$/.test(kind));
}

/** A line for each cell that is no header and says something, behind what the header cells before it say. */
function formLines(row: Row | string): string[] {
  if (typeof row === "string") return [row];
  let names: string[] = [];
  const places = saidOnce(row);
  if (places.length === 1) return places.map(({ text }) => text);
  return places.flatMap(({ text, isName }) => {
    if (isName) {
      names.push(text);
      return [];
    }
    const name = [...new Set(names)].join(" ");
    names = [];
    return text === "" ? [] : `- ${name}: ${text}`;
  });
}

/** A row's places without those that a merged cell reaches into from the left. */
function saidOnce({ places }: Row): Place[] {
  return places.filter((place, column) => {
    const before = places[column - 1];
    return place !== before && (place.text !== "" || place.isName || before?.isName);
  });
}

/** How many rows are the header's: those of header cells alone, or those that the cells beside a group's name reach down to. */
function headerDepth(rows: readonly Row[]): number {
  if (rows.length < 2) return 0;
  const [first] = rows;
  const cells = first?.cells ?? [];
  const body = rows.findIndex((row) => row.cells.some(({ isHeader }) => !isHeader));
  const grouped = cells.some(({ columns }) => columns > 1)
    ? cells.reduce((most, cell) => Math.max(most, cell.rows), 1)
    : 1;
  const depth = Math.max(1, body, grouped);
  return depth <= HEADER_ROWS_MAX && depth < rows.length ? depth : 1;
}

/** Each column's names from above, a merged one once. */
function headerOf(rows: readonly Row[]): string {
  const [first, ...others] = rows;
  return (first?.places ?? [])
    .map(({ text }, column) =>
      [...new Set([text, ...others.map(({ places }) => places[column]?.text ?? "")])].filter(Boolean).join(" "),
    )
    .join(SEPARATOR);
}
