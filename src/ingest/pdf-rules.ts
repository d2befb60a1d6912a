/** A straight line that a page draws, along one axis, in points from the page's lower left. */
export interface Rule {
  readonly isVertical: boolean;
  /** Of a vertical one its x, of a horizontal one its y. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

type Matrix = readonly number[];

/** What a page draws, as pdf.js lists it. */
export interface Operators {
  readonly fnArray: readonly number[];
  readonly argsArray: readonly unknown[];
}
type Codes = Readonly<Record<string, number>>;

/** More are a drawing's. */
export const RULES_MAX = 1_000;
/** In points: what is filled and thinner is a line, and one that is shorter none. */
const THICKNESS_MAX = 3;
const LENGTH_MIN = 4;
const SKEW_MAX = 0.5;
/** Of path data: how many numbers follow each kind of stroke, by its code: move, line, curve, quadratic curve, close. */
const NUMBERS = [2, 2, 6, 4, 0];
const MOVE = 0;
const LINE = 1;
const CLOSE = 4;
const UNTOUCHED: Matrix = [1, 0, 0, 1, 0, 0];

/** The lines along an axis that a page draws; none, where there are more than a table has. */
export function rulesOf({ fnArray, argsArray }: Operators, codes: Codes): Rule[] {
  const rules: Rule[] = [];
  const saved: Matrix[] = [];
  let matrix = UNTOUCHED;
  const fills = new Set([codes.fill, codes.eoFill]);
  for (const [i, code] of fnArray.entries()) {
    const args = argsArray[i];
    if (code === codes.save) saved.push(matrix);
    else if (code === codes.restore || code === codes.paintFormXObjectEnd) matrix = saved.pop() ?? UNTOUCHED;
    else if (code === codes.transform) matrix = times(matrix, args as Matrix);
    else if (code === codes.paintFormXObjectBegin) {
      saved.push(matrix);
      const [own] = args as [Matrix | null];
      if (own) matrix = times(matrix, own);
    } else if (code === codes.constructPath) {
      const [painted, [data]] = args as [number, [ArrayLike<number> | null]];
      if (!data || painted === codes.endPath) continue;
      for (const path of subpaths(data, matrix)) addRules(rules, path, fills.has(painted));
      if (rules.length > RULES_MAX) return [];
    }
  }
  return rules;
}

function times([a = 1, b = 0, c = 0, d = 1, e = 0, f = 0]: Matrix, other: Matrix): Matrix {
  const [g = 1, h = 0, i = 0, j = 1, k = 0, l = 0] = other;
  return [a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * l + e, b * k + d * l + f];
}

type Point = readonly [x: number, y: number];

/** Points that lines join; a path with curves has none. */
function* subpaths(data: ArrayLike<number>, matrix: Matrix): Generator<Point[]> {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = matrix;
  let path: Point[] = [];
  for (let at = 0; at < data.length; ) {
    const kind = data[at] ?? CLOSE;
    const x = data[at + 1] ?? 0;
    const y = data[at + 2] ?? 0;
    if (kind === MOVE) {
      if (path.length > 1) yield path;
      path = [];
    }
    if (kind === MOVE || kind === LINE) path.push([a * x + c * y + e, b * x + d * y + f]);
    else if (kind === CLOSE && path[0]) path.push(path[0]);
    else path = [];
    at += 1 + (NUMBERS[kind] ?? 0);
  }
  if (path.length > 1) yield path;
}

function addRules(rules: Rule[], path: readonly Point[], isFilled: boolean): void {
  if (isFilled) {
    const [left, right] = extent(path.map(([x]) => x));
    const [bottom, top] = extent(path.map(([, y]) => y));
    if (Math.min(right - left, top - bottom) > THICKNESS_MAX) return;
    if (right - left > top - bottom) add(rules, false, (top + bottom) / 2, left, right);
    else add(rules, true, (left + right) / 2, bottom, top);
    return;
  }
  for (const [i, [x, y]] of path.entries()) {
    const before = path[i - 1];
    if (!before) continue;
    const [left, bottom] = before;
    if (Math.abs(x - left) < SKEW_MAX) add(rules, true, x, bottom, y);
    else if (Math.abs(y - bottom) < SKEW_MAX) add(rules, false, y, left, x);
  }
}

function add(rules: Rule[], isVertical: boolean, at: number, one: number, other: number): void {
  if (Math.abs(one - other) < LENGTH_MIN) return;
  rules.push({ isVertical, at, from: Math.min(one, other), to: Math.max(one, other) });
}

export function extent(numbers: readonly number[]): readonly [least: number, most: number] {
  return [Math.min(...numbers), Math.max(...numbers)];
}
