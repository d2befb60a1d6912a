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
  readonly column: { readonly left: number; readonly right: number };
}

type Segment = Omit<Line, "cells" | "column">;

/** In sizes of the text: a space between words, and a gap that words do not have. */
const SPACE = 0.15;
const GAP = 1.6;
/** Both sides of a gutter have so many lines, and so many of all may cross it. */
const COLUMN_LINES_MIN = 5;
const CROSSING_SHARE_MAX = 0.25;
/** Of its column's width a line of text fills so much, as the middle of all. */
const FILLED_SHARE_MIN = 0.55;
const GUTTER_STEP = 2;
const COLUMNS_DEPTH_MAX = 2;

/** The lines of a page in reading order: from the top, column by column between lines that cross them. */
export function toLines(fragments: readonly Fragment[]): Line[] {
  return inOrder(toSegments(fragments), COLUMNS_DEPTH_MAX);
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
  const isOnLine = Math.abs(y - open.y) < Math.max(size, open.size) * 0.4;
  const isWideSpace = text.trim() === "" && width > size * GAP;
  return isOnLine && !isWideSpace && gap < Math.max(size, open.size) * GAP && gap > -size;
}

function joined(open: Segment, { text, x, width, size }: Fragment): Segment {
  const needsSpace = x - (open.x + open.width) > size * SPACE && !/\s$/.test(open.text) && !/^\s/.test(text);
  return {
    text: open.text + (needsSpace ? " " : "") + text,
    x: open.x,
    y: open.y,
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
function toRows(segments: readonly Segment[]): Line[] {
  const rows: Segment[][] = [];
  for (const segment of segments.toSorted((a, b) => b.y - a.y)) {
    const row = rows.at(-1);
    const [first] = row ?? [];
    if (row && first && Math.abs(first.y - segment.y) < Math.max(first.size, segment.size) * 0.4) row.push(segment);
    else rows.push([segment]);
  }
  const left = Math.min(...segments.map(({ x }) => x));
  const right = Math.max(...segments.map(({ x, width }) => x + width));
  return rows.map((row, i) => {
    const isTable = row.length > 1 && ((rows[i - 1]?.length ?? 0) > 1 || (rows[i + 1]?.length ?? 0) > 1);
    return toLine(
      row.sort((a, b) => a.x - b.x),
      isTable,
      { left, right },
    );
  });
}

function toLine(row: readonly Segment[], isTable: boolean, column: Line["column"]): Line {
  const first = row[0] as Segment;
  const last = row.at(-1) ?? first;
  return {
    text: row.map(({ text }) => text).join(isTable ? " | " : " "),
    x: first.x,
    y: Math.max(...row.map(({ y }) => y)),
    width: last.x + last.width - first.x,
    size: Math.max(...row.map(({ size }) => size)),
    cells: isTable ? row.length : 1,
    endsWithSpace: last.endsWithSpace,
    column,
  };
}
