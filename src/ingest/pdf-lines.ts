import type { Grid } from "./pdf-grid.ts";
import type { Fragment } from "./pdf-layout.ts";

/** A line of a column, in reading order. */
export interface Line {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly size: number;
  /** 2 or more: a row of a table, its cells joined by ` | `. */
  readonly cells: number;
  readonly endsWithSpace: boolean;
  /** A table whose cells lines part stands in its place. */
  readonly grid?: Grid;
  /** Was filled in. */
  readonly isField?: boolean;
  readonly column: { readonly left: number; readonly right: number };
}

type Segment = Omit<Line, "cells" | "column">;

/** In sizes of the text: a space between words, and a gap that words do not have. */
const SPACE = 0.15;
const GAP = 1.6;
/** In sizes: of what is raised or lowered beside the text, how far, and how near to it. */
const SCRIPT_SIZE = 0.95;
const SCRIPT_RISE = 0.7;
const SCRIPT_GAP = 0.5;
/** Both sides of a gutter have so many lines, and so many of all may cross it. */
const COLUMN_LINES_MIN = 5;
const CROSSING_SHARE_MAX = 0.25;
/** Of its column's width a line of text fills so much, as the middle of all. */
const FILLED_SHARE_MIN = 0.55;
/** Above and below one of a table. */
const ROWS_COMPARED = 50;
const GUTTER_STEP = 2;
const COLUMNS_DEPTH_MAX = 2;

/** The lines of a page in reading order: from the top, column by column between lines that cross them; each grid is one. */
export function toLines(fragments: readonly Fragment[], grids: readonly Grid[] = []): Line[] {
  return inOrder([...toSegments(fragments), ...grids.map(gridSegment)], COLUMNS_DEPTH_MAX);
}

/** The lines of a cell. */
export function cellLines(fragments: readonly Fragment[]): Line[] {
  return toRows(toSegments(fragments), false);
}

function gridSegment(grid: Grid): Segment {
  const fragments = grid.cells.flat().flatMap((cell) => cell.fragments);
  const text = fragments.map((fragment) => fragment.text).join(" ");
  const sizes = fragments.map(({ size }) => size).sort((a, b) => a - b);
  const size = sizes[sizes.length >> 1] ?? 0;
  return { text, x: grid.left, y: grid.top, width: grid.right - grid.left, size, endsWithSpace: false, grid };
}

/** Fragments that follow each other on one line, joined; a wide gap parts them. */
function toSegments(fragments: readonly Fragment[]): Segment[] {
  const segments: Segment[] = [];
  let open: Segment | null = null;
  for (const fragment of fragments) {
    if (open && follows(open, fragment)) open = joined(open, fragment);
    else {
      if (open) segments.push(open);
      const { text } = fragment;
      open = text.trim() === "" ? null : { ...fragment, text: text.trimStart(), endsWithSpace: /\s$/.test(text) };
    }
  }
  if (open) segments.push(open);
  return segments.map((segment) => ({ ...segment, text: segment.text.replace(/\s+/g, " ").trimEnd() }));
}

function follows(open: Segment, { x, y, size, text, width }: Fragment): boolean {
  const gap = x - (open.x + open.width);
  const isOnLine = Math.abs(y - open.y) < Math.max(size, open.size) * (isScript(open, size, gap) ? SCRIPT_RISE : 0.4);
  const isWideSpace = text.trim() === "" && width > size * GAP;
  return isOnLine && !isWideSpace && gap < Math.max(size, open.size) * GAP && gap > -size;
}

/** Whether one of two fragments beside each other is set smaller, as what is raised or lowered is. */
function isScript(open: Segment, size: number, gap: number): boolean {
  return Math.min(size, open.size) <= Math.max(size, open.size) * SCRIPT_SIZE && Math.abs(gap) < size * SCRIPT_GAP;
}

function joined(open: Segment, { text, x, y, width, size }: Fragment): Segment {
  // 10² is not 102.
  const isRaised = size <= open.size * SCRIPT_SIZE && y > open.y && /\d$/.test(open.text) && /^\d/.test(text);
  const needsSpace = x - (open.x + open.width) > size * SPACE && !/\s$/.test(open.text) && !/^\s/.test(text);
  return {
    text: open.text + (isRaised ? "^" : needsSpace ? " " : "") + text,
    x: open.x,
    // That of the text, not of what is raised beside it.
    y: size * SCRIPT_SIZE >= open.size ? y : open.y,
    width: Math.max(open.width, x + width - open.x),
    size: text.trim() === "" ? open.size : Math.max(open.size, size),
    endsWithSpace: /\s$/.test(text),
  };
}

function inOrder(segments: readonly Segment[], depth: number): Line[] {
  const gutter = depth > 0 ? findGutter(segments) : null;
  if (gutter === null) return toRows(segments);
  const lines: Line[] = [];
  let left: Segment[] = [];
  let right: Segment[] = [];
  let crossing: Segment[] = [];
  const endColumns = () => {
    lines.push(...inOrder(left, depth - 1), ...inOrder(right, depth - 1));
    left = [];
    right = [];
  };
  for (const segment of segments.toSorted((a, b) => b.y - a.y)) {
    if (crosses(segment, gutter)) {
      if (left.length + right.length > 0) endColumns();
      crossing.push(segment);
      continue;
    }
    if (crossing.length > 0) lines.push(...toRows(crossing));
    crossing = [];
    (segment.x < gutter ? left : right).push(segment);
  }
  lines.push(...toRows(crossing));
  endColumns();
  return lines;
}

function crosses({ x, width }: Segment, gutter: number): boolean {
  return x < gutter - 1 && x + width > gutter + 1;
}

/** Where a gutter parts the page in two columns of text; null where none does, or what it parts looks like a table. */
function findGutter(segments: readonly Segment[]): number | null {
  const left = Math.min(...segments.map(({ x }) => x));
  const right = Math.max(...segments.map(({ x, width }) => x + width));
  let best: { readonly x: number; readonly crossing: number } | null = null;
  for (let x = left + (right - left) * 0.25; x < left + (right - left) * 0.75; x += GUTTER_STEP) {
    const crossing = segments.filter((segment) => crosses(segment, x)).length;
    if (crossing <= segments.length * CROSSING_SHARE_MAX && (!best || crossing < best.crossing)) best = { x, crossing };
  }
  if (!best) return null;
  const { x } = best;
  const sides = [
    segments.filter((segment) => segment.x + segment.width <= x + 1),
    segments.filter((segment) => segment.x >= x - 1),
  ];
  return sides.every(isTextColumn) ? x : null;
}

function isTextColumn(side: readonly Segment[]): boolean {
  if (side.length < COLUMN_LINES_MIN) return false;
  const width = Math.max(...side.map((segment) => segment.x + segment.width)) - Math.min(...side.map(({ x }) => x));
  const widths = side.map((segment) => segment.width).sort((a, b) => a - b);
  return (widths[widths.length >> 1] ?? 0) >= width * FILLED_SHARE_MIN && width > 0;
}

/** Segments of one column as lines, from the top; those on one line are the cells of a row where the next line has some too. */
function toRows(segments: readonly Segment[], hasTables = true): Line[] {
  const rows: Segment[][] = [];
  for (const segment of segments.toSorted((a, b) => b.y - a.y)) {
    const row = rows.at(-1);
    const [first] = row ?? [];
    const isAlone = segment.grid !== undefined || first?.grid !== undefined;
    if (row && first && !isAlone && Math.abs(first.y - segment.y) < Math.max(first.size, segment.size) * 0.4)
      row.push(segment);
    else rows.push([segment]);
  }
  const left = Math.min(...segments.map(({ x }) => x));
  const right = Math.max(...segments.map(({ x, width }) => x + width));
  for (const row of rows) row.sort((a, b) => a.x - b.x);
  return rows.map((row, i) => {
    const isTable =
      hasTables &&
      row.length > 1 &&
      !row.some(({ isField }) => isField) &&
      ((rows[i - 1]?.length ?? 0) > 1 || (rows[i + 1]?.length ?? 0) > 1);
    return toLine(row, isTable ? cellsOf(row, widest(rows, i)) : null, { left, right });
  });
}

/** The longest of the rows of several cells that a row is among. */
function widest(rows: readonly (readonly Segment[])[], at: number): readonly Segment[] {
  const isRow = (i: number) => (rows[i]?.length ?? 0) > 1;
  let from = at;
  while (isRow(from - 1) && at - from < ROWS_COMPARED) from--;
  let to = at;
  while (isRow(to + 1) && to - at < ROWS_COMPARED) to++;
  return rows.slice(from, to + 1).reduce((most, row) => (row.length > most.length ? row : most));
}

/** Its texts, each in the column that it begins in; empty where none does. As they are, where two stand in one. */
function cellsOf(row: readonly Segment[], columns: readonly Segment[]): string[] {
  const cells = columns.map(() => "");
  for (const segment of row) {
    const own = columnOf(segment, columns);
    if (cells[own] !== "") return row.map(({ text }) => text);
    cells[own] = segment.text;
  }
  return cells;
}

/** The first that stands above or below it, as it may run on into others; else the nearest. */
function columnOf(segment: Segment, columns: readonly Segment[]): number {
  const first = columns.findIndex(({ x, width }) => segment.x < x + width && x < segment.x + segment.width);
  if (first !== -1) return first;
  const distances = columns.map((column) => distance(segment, column));
  return distances.indexOf(Math.min(...distances));
}

/** Of left ends, middles or right ends, as columns are aligned. */
function distance(one: Segment, other: Segment): number {
  const left = one.x - other.x;
  const right = left + one.width - other.width;
  return Math.min(Math.abs(left), Math.abs(right), Math.abs(left + right) / 2);
}

/** @param cells null: it is none of a table */
function toLine(row: readonly Segment[], cells: readonly string[] | null, column: Line["column"]): Line {
  const first = row[0] as Segment;
  const last = row.at(-1) ?? first;
  return {
    text: cells ? cells.join(" | ") : row.map(({ text }) => text).join(" "),
    x: first.x,
    y: Math.max(...row.map(({ y }) => y)),
    width: last.x + last.width - first.x,
    size: Math.max(...row.map(({ size }) => size)),
    cells: cells?.length ?? 1,
    ...(first.grid && { grid: first.grid }),
    endsWithSpace: last.endsWithSpace,
    column,
  };
}
