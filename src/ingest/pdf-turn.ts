import type { Fragment } from "./pdf-layout.ts";
import type { Rule } from "./pdf-rules.ts";

/** A text as the parser gives it. */
export interface TextItem {
  readonly str: string;
  /** Scale, rotation and place, as PDF writes matrices. */
  readonly transform: readonly number[];
  readonly width: number;
}

/** Quarters of a circle, against the clock, by which a page's text is turned. */
export type Turn = 0 | 1 | 2 | 3;

/** Sine and cosine of what is turned back by so many quarters. */
const BACK: readonly (readonly [sine: number, cosine: number])[] = [
  [0, 1],
  [-1, 0],
  [0, -1],
  [1, 0],
];
const SKEW_MAX = 0.1;

/** How most of a page's text is turned: pages that lie are drawn upright, or turned when they are shown. */
export function turnOf(items: readonly TextItem[]): Turn {
  const lengths = [0, 0, 0, 0];
  for (const { str, transform } of items) {
    const [a = 0, b = 0] = transform;
    const turn = (Math.round(Math.atan2(b, a) / (Math.PI / 2)) + 4) % 4;
    lengths[turn] = (lengths[turn] ?? 0) + str.trim().length;
  }
  return lengths.indexOf(Math.max(...lengths)) as Turn;
}

/** Text that stands as most of its page's does; stamps and watermarks across the page are left out. */
export function toFragment({ str, transform, width }: TextItem, turn: Turn): Fragment[] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = transform;
  const size = Math.hypot(c, d);
  const [right, up] = turned(a, b, turn);
  if (str === "" || Math.abs(up) > right * SKEW_MAX || size === 0) return [];
  const [x, y] = turned(e, f, turn);
  return [{ text: str.replace(/\u00ad/g, "-"), x, y, width, size }];
}

export function turned(x: number, y: number, turn: Turn): readonly [x: number, y: number] {
  const [sine, cosine] = BACK[turn] ?? [0, 1];
  return [x * cosine - y * sine, x * sine + y * cosine];
}

export function turnedRule(rule: Rule, turn: Turn): Rule {
  const { isVertical, at, from, to } = rule;
  if (turn === 0) return rule;
  const [x1, y1] = isVertical ? turned(at, from, turn) : turned(from, at, turn);
  const [x2, y2] = isVertical ? turned(at, to, turn) : turned(to, at, turn);
  return Math.abs(x1 - x2) < Math.abs(y1 - y2)
    ? { isVertical: true, at: x1, from: Math.min(y1, y2), to: Math.max(y1, y2) }
    : { isVertical: false, at: y1, from: Math.min(x1, x2), to: Math.max(x1, x2) };
}
