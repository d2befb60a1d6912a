/** From data to pixels, with round marks between the ends. */
export interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

export function linear(domain: Span, pixels: Span, about: number): Scale {
  const { from, to } = domain;
  const width = to - from || 1;
  const place = (value: number) => pixels.from + ((value - from) / width) * (pixels.to - pixels.from);
  const step = roundStep(width / about);
  const first = Math.ceil(from / step - 1e-9);
  const ticks = Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, n) => round((first + n) * step));
  return Object.assign(place, { ticks });
}

/** Both ends of `domain` above 0. Marks at 1, 2 and 5 times powers of ten; at the powers alone where that were too many. */
export function logarithmic(domain: Span, pixels: Span): Scale {
  const [low, high] = [Math.log10(domain.from), Math.log10(Math.max(domain.to, domain.from * 1.01))];
  const place = (value: number) => {
    const share = (Math.log10(Math.max(value, domain.from)) - low) / (high - low);
    return pixels.from + share * (pixels.to - pixels.from);
  };
  const multiples = high - low > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const multiple of multiples) {
      const tick = round(multiple * 10 ** power);
      if (tick >= domain.from && tick <= domain.to) ticks.push(tick);
    }
  }
  return Object.assign(place, { ticks });
}

/** 1, 2 or 5 times a power of ten. */
function roundStep(raw: number): number {
  const power = 10 ** Math.floor(Math.log10(raw));
  const multiple = [1, 2, 5, 10].find((one) => one * power >= raw * 0.999) ?? 10;
  return multiple * power;
}

function round(value: number): number {
  return Number(value.toPrecision(12));
}

export type Point = readonly [x: number, y: number];

/** The `d` of a line through these points. */
export function line(points: readonly Point[]): string {
  return points.map(([x, y], n) => `${n === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** Milliseconds as a reader writes them. */
export function duration(ms: number): string {
  if (ms < 1) return `${Number(ms.toPrecision(2))} ms`;
  if (ms < 1000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  if (ms < 120_000) return `${Number((ms / 1000).toPrecision(3))} s`;
  return `${Number((ms / 60_000).toPrecision(3))} min`;
}

export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
