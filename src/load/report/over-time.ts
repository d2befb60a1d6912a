import { percentiles, quantile } from "../../statistics.ts";
import type { Sample } from "../drive.ts";
import { isWhole, totalOf, ttftOf } from "../summary.ts";
import { duration, escapeHtml, line, linear, logarithmic, type Point, type Scale, type Span } from "./scale.ts";

const WIDTH = 960;
const LEFT = 62;
const RIGHT = 62;
/** Beyond so many points a reader sees no more of them, only a larger file. */
const DOTS_MAX = 3000;
const PIXELS: Span = { from: LEFT, to: WIDTH - RIGHT };

export interface TimeOptions {
  readonly samples: readonly Sample[];
  /** The run's length, milliseconds. */
  readonly ms: number;
  readonly objectiveMs: number;
}

/** Every answer's time to first text by when it was due, with the median and the 95th percentile as they went. */
export function latencyOverTime({ samples, ms, objectiveMs }: TimeOptions): string {
  const height = 320;
  const x = linear({ from: 0, to: ms }, PIXELS, 8);
  const values = samples.filter(isWhole).flatMap((sample) => {
    const ttft = ttftOf(sample);
    return ttft === null ? [] : [{ sample, ttft }];
  });
  const y = latencyScale(
    values.map(({ ttft }) => ttft),
    objectiveMs,
    { from: height - 34, to: 30 },
  );
  const dots = thin(values).map(({ sample, ttft }) => {
    const title = `due ${duration(sample.dueAt)}: first text ${duration(ttft)}, whole ${duration(totalOf(sample))}`;
    return `<circle cx="${x(sample.dueAt).toFixed(1)}" cy="${y(ttft).toFixed(1)}" r="2.4"><title>${title}</title></circle>`;
  });
  const failures = samples.flatMap(({ failure, dueAt }) => {
    if (failure === null) return [];
    const at = x(dueAt).toFixed(1);
    const title = escapeHtml(`due ${duration(dueAt)}: ${failure}`);
    return `<path class="failure" d="M${at} 8v12"><title>${title}</title></path>`;
  });
  const buckets = inBuckets(values, ms);
  const along = (share: number) => line(buckets.map(({ at, sorted }): Point => [x(at), y(quantile(sorted, share))]));
  const last = buckets.at(-1);
  const label = (share: number, name: string) =>
    last ? text(WIDTH - RIGHT + 6, y(quantile(last.sorted, share)) + 4, name, `end ${name}`) : "";
  return svg(height, "Time to first text over the run", [
    grid(x, y, height, duration),
    objective(y(objectiveMs), objectiveMs),
    `<g class="dots">${dots.join("")}</g>`,
    `<path class="line p95" d="${along(0.95)}"/><path class="line p50" d="${along(0.5)}"/>`,
    label(0.95, "p95"),
    label(0.5, "p50"),
    ...failures,
  ]);
}

/** Requests asked but not yet answered. */
export function inFlightOverTime({ samples, ms }: TimeOptions): string {
  const height = 150;
  const x = linear({ from: 0, to: ms }, PIXELS, 8);
  const steps = samples
    .flatMap(({ dueAt, endedAt }) => [
      { at: dueAt, by: 1 },
      { at: endedAt, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let open = 0;
  let most = 1;
  const points: Point[] = [];
  for (const { at, by } of steps) {
    points.push([at, open]);
    open += by;
    most = Math.max(most, open);
    points.push([at, open]);
  }
  const y = linear({ from: 0, to: most * 1.1 }, { from: height - 34, to: 12 }, 3);
  const drawn = everyPixel(points, x).map(([at, count]): Point => [x(at), y(count)]);
  const area = `${line([[x(0), y(0)], ...drawn])}L${x(ms).toFixed(1)} ${y(0)}Z`;
  return svg(height, "Requests under way", [
    `<path class="area" d="${area}"/><path class="line under-way" d="${line(drawn)}"/>`,
    grid(x, y, height, String),
  ]);
}

function latencyScale(values: readonly number[], objectiveMs: number, pixels: Span): Scale {
  const of = percentiles(values);
  const [low, middle, high] = [Math.min(...values.slice(0, 1), of?.p50 ?? 1), of?.p50 ?? 1, of?.max ?? 1];
  if (high / Math.max(0.1, middle) < 12) {
    const top = objectiveMs < high * 3 ? Math.max(high, objectiveMs) : high;
    return linear({ from: 0, to: top * 1.06 }, pixels, 5);
  }
  const least = values.reduce((least, value) => Math.min(least, value), low);
  return logarithmic({ from: Math.max(0.1, least * 0.8), to: high * 1.15 }, pixels);
}

/** All of the slowest hundredth, and of the rest as many as can be shown. */
function thin<T extends { readonly ttft: number }>(values: readonly T[]): T[] {
  if (values.length <= DOTS_MAX) return [...values];
  const slow = percentiles(values.map(({ ttft }) => ttft))?.p99 ?? 0;
  const every = Math.ceil(values.length / DOTS_MAX);
  return values.filter(({ ttft }, n) => ttft >= slow || n % every === 0);
}

interface Bucket {
  readonly at: number;
  readonly sorted: readonly number[];
}

const PER_BUCKET = 15;
const BUCKETS_MAX = 60;

function inBuckets(values: readonly { readonly sample: Sample; readonly ttft: number }[], ms: number): Bucket[] {
  const count = Math.max(1, Math.min(BUCKETS_MAX, Math.floor(values.length / PER_BUCKET)));
  const width = ms / count;
  const buckets = Array.from({ length: count }, (): number[] => []);
  for (const { sample, ttft } of values) buckets[Math.min(count - 1, Math.floor(sample.dueAt / width))]?.push(ttft);
  return buckets.flatMap((bucket, n) =>
    bucket.length === 0 ? [] : [{ at: (n + 0.5) * width, sorted: bucket.sort((a, b) => a - b) }],
  );
}

/** The highest point of each pixel: a step function of thousands of steps needs no more. */
function everyPixel(points: readonly Point[], x: Scale): Point[] {
  if (points.length < 2 * WIDTH) return [...points];
  const highest = new Map<number, Point>();
  for (const point of points) {
    const pixel = Math.round(x(point[0]));
    const before = highest.get(pixel);
    if (!before || point[1] > before[1]) highest.set(pixel, point);
  }
  return [...highest.values()];
}

function objective(y: number, ms: number): string {
  if (y < 24) return "";
  return `<path class="objective" d="M${LEFT} ${y.toFixed(1)}H${WIDTH - RIGHT}"/>${text(LEFT + 6, y - 5, `objective ${duration(ms)}`, "note")}`;
}

function grid(x: Scale, y: Scale, height: number, format: (value: number) => string): string {
  const bottom = height - 34;
  const rows = y.ticks.map((tick) => {
    const at = y(tick);
    return `<path class="grid" d="M${LEFT} ${at.toFixed(1)}H${WIDTH - RIGHT}"/>${text(LEFT - 8, at + 4, format(tick), "end-anchor")}`;
  });
  const columns = x.ticks.map((tick) => {
    const at = x(tick);
    return `<path class="tick" d="M${at.toFixed(1)} ${bottom}v5"/>${text(at, bottom + 20, seconds(tick), "middle")}`;
  });
  return `<g class="axes">${rows.join("")}<path class="axis" d="M${LEFT} ${bottom}H${WIDTH - RIGHT}"/>${columns.join("")}</g>`;
}

function seconds(ms: number): string {
  return ms >= 120_000 ? `${Number((ms / 60_000).toFixed(2))} min` : `${Number((ms / 1000).toFixed(2))} s`;
}

export function text(x: number, y: number, content: string, className: string): string {
  return `<text class="${className}" x="${x.toFixed(1)}" y="${y.toFixed(1)}">${escapeHtml(content)}</text>`;
}

export function svg(height: number, label: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(label)}">${parts.join("")}</svg>`;
}
