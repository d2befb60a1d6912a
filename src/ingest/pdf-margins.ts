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
  const isNumbered = pageNumbers(margins, needed);
  const isRepeated = (line: Line) => keysOf(line).some((key) => (counts.get(key) ?? 0) >= needed);
  return pages.map((page, i) =>
    page.filter((line) => !(margins[i]?.has(line) && (isRepeated(line) || isNumbered(line, i)))),
  );
}

/** The highest and the lowest lines of a page, which has others between them. */
function marginsOf(page: readonly Line[]): ReadonlySet<Line> {
  const byHeight = page.toSorted((a, b) => b.y - a.y);
  const lines = Math.min(MARGIN_LINES, Math.floor((page.length - 1) / 2));
  return new Set(lines > 0 ? [...byHeight.slice(0, lines), ...byHeight.slice(-lines)] : []);
}

/**
 * What the line says, numbers and what parts cells aside, as it may stand beside a table, with its place; two neighbouring places, as
 * rounding may part what belongs together.
 */
function keysOf({ text, y }: Line): string[] {
  const said = text
    .replace(/\d+/g, "#")
    .replace(/[\s|]+/g, " ")
    .trim();
  if (PAGE_NUMBER.test(said)) return ["number"];
  return [Math.floor(y / PLACE), Math.floor(y / PLACE + 0.5) + 0.5].map((place) => `${place} ${said}`);
}

/**
 * Whether a line begins or ends with its page's number: one that grows with the pages on enough of them, as in `Chapter 3: Utilities 7`.
 */
function pageNumbers(margins: readonly ReadonlySet<Line>[], needed: number): (line: Line, page: number) => boolean {
  const offsetsOf = ({ text }: Line, page: number) =>
    [...text.matchAll(/^\d{1,4}(?=\s)|(?<=\s)\d{1,4}$/g)].map(([number]) => Number(number) - page);
  const counts = new Map<number, number>();
  for (const [page, lines] of margins.entries()) {
    for (const offset of new Set([...lines].flatMap((line) => offsetsOf(line, page)))) {
      counts.set(offset, (counts.get(offset) ?? 0) + 1);
    }
  }
  return (line, page) => offsetsOf(line, page).some((offset) => (counts.get(offset) ?? 0) >= Math.max(needed, 3));
}
