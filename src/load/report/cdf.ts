import { quantile } from "../../statistics.ts";
import { svg, text } from "./over-time.ts";
import { duration, line, linear, logarithmic, type Point } from "./scale.ts";

export interface Curve {
  readonly name: string;
  readonly className: string;
  /** Milliseconds, in any order. */
  readonly values: readonly number[];
}

const HEIGHT = 300;
const LEFT = 62;
const RIGHT = 930;
const BOTTOM = HEIGHT - 36;
const TOP = 14;
const POINTS = 400;
const MARKED = [0.5, 0.95, 0.99] as const;

/** Which share of the answers came within which time; the time axis is logarithmic. */
export function distributions(curves: readonly Curve[], objectiveMs: number): string {
  const known = curves.filter(({ values }) => values.length > 0);
  const sorted = known.map(({ values }) => values.toSorted((a, b) => a - b));
  const low = sorted.reduce((least, [first = 1]) => Math.min(least, first), Number.POSITIVE_INFINITY);
  const high = sorted.reduce((most, values) => Math.max(most, values.at(-1) ?? 1), 0);
  if (known.length === 0) return "";
  const x = logarithmic({ from: Math.max(0.1, low * 0.85), to: high * 1.15 }, { from: LEFT, to: RIGHT });
  const y = linear({ from: 0, to: 1 }, { from: BOTTOM, to: TOP }, 4);
  const rows = [0, 0.25, 0.5, 0.75, 0.95, 1].map((share) => {
    const at = y(share);
    return `<path class="grid" d="M${LEFT} ${at.toFixed(1)}H${RIGHT}"/>${text(LEFT - 8, at + 4, `${share * 100}%`, "end-anchor")}`;
  });
  const columns = x.ticks.map(
    (tick) =>
      `<path class="grid" d="M${x(tick).toFixed(1)} ${TOP}V${BOTTOM}"/>${text(x(tick), BOTTOM + 20, duration(tick), "middle")}`,
  );
  const drawn = known.map(({ name, className }, n) => {
    const values = sorted[n] ?? [];
    const shares = Array.from({ length: POINTS + 1 }, (_, at) => at / POINTS);
    const points = shares.map((share): Point => [x(quantile(values, share)), y(share)]);
    const marks = MARKED.map((share) => {
      const ms = quantile(values, share);
      const title = `${name}: p${share * 100} ${duration(ms)}`;
      return `<circle class="mark" cx="${x(ms).toFixed(1)}" cy="${y(share).toFixed(1)}" r="4"><title>${title}</title></circle>`;
    });
    return `<g class="${className}"><path class="line" d="${line(points)}"/>${marks.join("")}</g>`;
  });
  const at = x(objectiveMs);
  const within = at > LEFT && at < RIGHT - 40;
  const objective = within
    ? `<path class="objective" d="M${at.toFixed(1)} ${TOP}V${BOTTOM}"/>${text(at + 6, BOTTOM - 8, `objective ${duration(objectiveMs)}`, "note")}`
    : "";
  return svg(HEIGHT, "Share of answers by time", [
    `<g class="axes">${rows.join("")}${columns.join("")}</g>`,
    objective,
    ...drawn,
  ]);
}
