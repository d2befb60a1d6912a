import type { Line } from "./pdf-lines.ts";

/** Lines at either end of a page that may be its header or footer. */
const MARGIN_LINES = 3;
/** On so many of the pages, at least 2: left and right pages may have headers of their own. */
const REPEATED_SHARE = 0.4;
/** Points that a repeated line may stand higher or lower. */
const PLACE = 4;
const PAGE_NUMBER = /^(?:[-–—]\s*)?(?:page|p\.)?\s*#(?:\s*(?:\/|of)\s*#)?(?:\s*[-–—]|\s*쪽|\s*페이지)?$/i;

/** Leaves out headers, footers and page numbers: lines at the ends of pages that return, but for their numbers, at the same place. */
export function withoutRepeated(pages: readonly (readonly Line[])[]): Line[][] {
  if (pages.length < 2) return pages.map((page) => [...page]);
  const counts = new Map<string, number>();
  const margins = pages.map(marginsOf);
  for (const lines of margins) {
    for (const key of new Set([...lines].flatMap(keysOf))) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const needed = Math.max(2, Math.ceil(pages.length * REPEATED_SHARE));
  const isRepeated = (line: Line) => keysOf(line).some((key) => (counts.get(key) ?? 0) >= needed);
  return pages.map((page, i) => page.filter((line) => !(margins[i]?.has(line) && isRepeated(line))));
}

/** The highest and the lowest lines of a page, which has others between them. */
function marginsOf(page: readonly Line[]): ReadonlySet<Line> {
  const byHeight = page.toSorted((a, b) => b.y - a.y);
  const lines = Math.min(MARGIN_LINES, Math.floor((page.length - 1) / 2));
  return new Set(lines > 0 ? [...byHeight.slice(0, lines), ...byHeight.slice(-lines)] : []);
}

/** What the line says, numbers aside, with its place; two neighbouring places, as rounding may part what belongs together. */
function keysOf({ text, y }: Line): string[] {
  const said = text.replace(/\d+/g, "#").replace(/\s+/g, " ").trim();
  if (PAGE_NUMBER.test(said)) return ["number"];
  return [Math.floor(y / PLACE), Math.floor(y / PLACE + 0.5) + 0.5].map((place) => `${place} ${said}`);
}
