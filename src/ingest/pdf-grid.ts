import type { Fragment } from "./pdf-layout.ts";
import { extent, type Rule } from "./pdf-rules.ts";

export interface GridCell {
  readonly columns: number;
  readonly rows: number;
  readonly fragments: readonly Fragment[];
}

/** A table whose cells lines part. */
export interface Grid {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  /** Where its columns begin, and where the last one ends. */
  readonly xs: readonly number[];
  readonly cells: readonly (readonly GridCell[])[];
}

/** In points: lines as near as this meet, or are one. */
const NEAR = 3;
/** Of both, or it is no table but a drawing. */
const CELLS_MAX = 3_000;
const FILLED_SHARE_MIN = 0.3;

/** The tables that a page's lines draw, and the text that stands in none of them. */
export function gridsOf(
  rules: readonly Rule[],
  fragments: readonly Fragment[],
): { readonly grids: readonly Grid[]; readonly rest: readonly Fragment[] } {
  const grids: Grid[] = [];
  let rest = fragments;
  for (const group of touching(rules)) {
    const [left, right] = span(group, false);
    const [bottom, top] = span(group, true);
    const isInside = ({ x, y, width, size }: Fragment) =>
      isBetween(x + width / 2, left, right) && isBetween(y + size / 3, bottom, top);
    const grid = gridOf(group, rest.filter(isInside), { left, right, bottom, top });
    if (!grid) continue;
    grids.push(grid);
    rest = rest.filter((fragment) => !isInside(fragment));
  }
  return { grids, rest };
}

/** Groups of lines each of which meets another of its group. */
function touching(rules: readonly Rule[]): Rule[][] {
  const groups: Rule[][] = [];
  const left = new Set(rules);
  for (const first of rules) {
    if (!left.delete(first)) continue;
    const group = [first];
    for (const rule of group) {
      for (const other of left) {
        if (!meets(rule, other)) continue;
        left.delete(other);
        group.push(other);
      }
    }
    groups.push(group);
  }
  return groups;
}

function meets(one: Rule, other: Rule): boolean {
  if (one.isVertical === other.isVertical) {
    return Math.abs(one.at - other.at) < NEAR && one.from < other.to + NEAR && other.from < one.to + NEAR;
  }
  return isBetween(one.at, other.from, other.to) && isBetween(other.at, one.from, one.to);
}

function isBetween(at: number, from: number, to: number): boolean {
  return at > from - NEAR && at < to + NEAR;
}

/** From where to where lines reach, across (from left to right), or up. */
function span(rules: readonly Rule[], isUp: boolean): readonly [number, number] {
  return extent(rules.flatMap(({ isVertical, at, from, to }) => (isVertical === isUp ? [from, to] : [at])));
}

/** Places from the least, those that are near each other once. */
function places(all: readonly number[]): number[] {
  const found: number[] = [];
  for (const at of all.toSorted((a, b) => a - b)) {
    if (at - (found.at(-1) ?? Number.NEGATIVE_INFINITY) > NEAR) found.push(at);
  }
  return found;
}

function gridOf(
  rules: readonly Rule[],
  fragments: readonly Fragment[],
  { left, right, bottom, top }: Readonly<Record<"left" | "right" | "bottom" | "top", number>>,
): Grid | null {
  const upright = rules.filter(({ isVertical }) => isVertical);
  const level = rules.filter(({ isVertical }) => !isVertical);
  const xs = places([left, right, ...upright.map(({ at }) => at)]);
  const ys = places([bottom, top, ...level.map(({ at }) => at)]).reverse();
  const size = { columns: xs.length - 1, rows: ys.length - 1 };
  if (size.columns < 2 || size.rows < 2 || size.columns * size.rows > CELLS_MAX) return null;
  const isParted = (lines: readonly Rule[], at: number, from: number, to: number) =>
    lines.some((line) => Math.abs(line.at - at) <= NEAR && isBetween((from + to) / 2, line.from, line.to));
  const partsRight = (row: number, column: number) =>
    isParted(upright, xs[column + 1] ?? 0, ys[row + 1] ?? 0, ys[row] ?? 0);
  const partsBelow = (row: number, column: number) =>
    isParted(level, ys[row + 1] ?? 0, xs[column] ?? 0, xs[column + 1] ?? 0);
  const texts = fragmentsByPlace(fragments, xs, ys);
  const taken = new Set<number>();
  const cells = Array.from({ length: size.rows }, (_, row) => {
    const line: GridCell[] = [];
    for (let column = 0; column < size.columns; column++) {
      if (taken.has(row * size.columns + column)) continue;
      let columns = 1;
      while (column + columns < size.columns && !partsRight(row, column + columns - 1)) columns++;
      let rows = 1;
      while (row + rows < size.rows && !partsBelow(row + rows - 1, column)) rows++;
      const own: Fragment[] = [];
      for (let r = row; r < row + rows; r++) {
        for (let c = column; c < column + columns; c++) {
          taken.add(r * size.columns + c);
          own.push(...(texts.get(r * size.columns + c) ?? []));
        }
      }
      line.push({ columns, rows, fragments: own });
    }
    return line;
  });
  return isTable(cells) ? { left, right, top, xs, cells } : null;
}

/** By the number of the place in the grid, row by row. */
function fragmentsByPlace(fragments: readonly Fragment[], xs: readonly number[], ys: readonly number[]) {
  const found = new Map<number, Fragment[]>();
  for (const fragment of fragments) {
    const x = fragment.x + Math.min(fragment.width, fragment.size) / 2;
    const y = fragment.y + fragment.size / 3;
    const column = Math.max(
      0,
      xs.findLastIndex((at) => at <= x),
    );
    const row = Math.max(
      0,
      ys.findLastIndex((at) => at >= y),
    );
    const place = Math.min(row, ys.length - 2) * (xs.length - 1) + Math.min(column, xs.length - 2);
    found.set(place, [...(found.get(place) ?? []), fragment]);
  }
  return found;
}

function isTable(rows: readonly (readonly GridCell[])[]): boolean {
  const cells = rows.flat();
  const filled = cells.filter(({ fragments }) => fragments.some(({ text }) => text.trim() !== ""));
  return rows.some((row) => row.length > 1) && filled.length > 1 && filled.length >= cells.length * FILLED_SHARE_MIN;
}
