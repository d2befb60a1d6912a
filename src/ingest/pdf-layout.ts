import type { Block } from "./document.ts";
import type { PageBreak } from "./pages.ts";
import { breaksOf, type GoesOn } from "./pdf-breaks.ts";
import { gridsOf } from "./pdf-grid.ts";
import { type Line, toLines } from "./pdf-lines.ts";
import { withoutRepeated } from "./pdf-margins.ts";
import type { Rule } from "./pdf-rules.ts";
import { goesOnIn, type LinedCell, linedCells, tableBlocks } from "./pdf-table.ts";

/** A run of text as a page places it: lower left corner, in points from the page's lower left. */
export interface Fragment {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  /** Of the font, in points. */
  readonly size: number;
  /** Was filled in, beside what asks for it. */
  readonly isField?: boolean;
}

export interface Page {
  readonly fragments: readonly Fragment[];
  /** What may part the cells of its tables. */
  readonly rules: readonly Rule[];
}

/** UTF-16 units that merged cells and headers may be repeated in, beside as many as the text has. */
const REPEATED_MAX = 100_000;
/** Beyond the text's own size, a line is a heading; and no longer than this. */
const HEADING_SIZE = 1.15;
const HEADING_LENGTH_MAX = 150;
/** Distance of two lines' feet, in sizes of the text, that parts paragraphs where lines usually stand closer. */
const GAP_SHARE = 1.35;
const INDENT = 0.8;

/** List entries, articles of laws and the like, which begin a paragraph wherever they stand. */
const ENTRY =
  /^(?:[-*•·▪▫○●◦■□◆◇※▶►✓]\s|\d{1,3}[.)]\s|[가나다라마바사아자차카타파하][.)]\s|[①-⑳]|\(\d{1,2}\)|\([가-하]\)\s|제\s?\d+\s?[조장절]|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ]+\.\s)/u;
const SENTENCE_END = /[.!?。…:;][)\]」』"'”’]*$|[다요음함됨임]\.?$/u;
/** What leads the eye to a page's number in a table of contents. */
const LEADERS = /\s*(?:[.·]\s?){4,}/g;
const WORD_BREAK = /\p{L}[-‐]$/u;

/** Blocks of text from what pages place where: columns one after the other, without what every page repeats at its ends. */
export function layOut(pages: readonly Page[]): Block[] {
  const lines = withoutRepeated(pages.map(linesOf));
  const bodySize = commonSize(lines.flat());
  const depths = headingDepths(lines.flat(), bodySize);
  const blocks: OpenBlock[] = [];
  let last: Line | null = null;
  for (const [i, page] of lines.entries()) {
    const gap = usualGap(page);
    for (const line of page) {
      const depth = line.text.length <= HEADING_LENGTH_MAX ? (depths.get(roundSize(line.size)) ?? 0) : 0;
      const kind = line.grid ? "grid" : depth > 0 ? "heading" : line.cells > 1 ? "table" : "text";
      const open = blocks.at(-1);
      if (
        open &&
        last &&
        open.kind === kind &&
        continues(open, last, line, { gap, isNewPage: open.lastPage !== i + 1 })
      ) {
        open.lines.push({ ...line, page: i + 1 });
        open.lastPage = i + 1;
      } else blocks.push({ kind, depth, page: i + 1, lastPage: i + 1, lines: [{ ...line, page: i + 1 }] });
      last = line;
    }
  }
  const tables = new Map(blocks.flatMap((block) => (block.kind === "grid" ? [[block, cellsOf(block)] as const] : [])));
  const texts = blocks.flatMap((block) => (block.kind === "text" ? [block.lines] : []));
  const cellTexts = [...tables.values()].flatMap((rows) => rows.flat().map((cell) => cell.lines));
  const goesOn = breaksOf([...texts, ...cellTexts]);
  const length = lines.flat().reduce((sum, { text }) => sum + text.length, 0);
  const room = { left: REPEATED_MAX + length };
  let header: readonly LinedCell[] = [];
  return blocks.flatMap((block, i) => {
    const rows = tables.get(block);
    if (!rows) return close(block, i === 0, goesOn);
    const before = blocks[i - 1];
    const isRest = before !== undefined && isContinued(before, block);
    if (!isRest) header = rows[0] ?? [];
    const join = (all: readonly Line[]) => joinLines(all, goesOn);
    return tableBlocks(rows, isRest ? header : [], join, room).map((table) => ({ ...table, page: block.page }));
  });
}

function linesOf({ fragments, rules }: Page): Line[] {
  const { grids, rest } = gridsOf(rules, fragments);
  return toLines(rest, grids);
}

function cellsOf({ lines }: OpenBlock): LinedCell[][] {
  return lines.flatMap(({ grid }) => (grid ? linedCells(grid) : []));
}

/** Whether a table is the rest of one on the page before. */
function isContinued(before: OpenBlock, block: OpenBlock): boolean {
  const [one, other] = [before.lines[0]?.grid, block.lines[0]?.grid];
  return one !== undefined && other !== undefined && block.page === before.page + 1 && goesOnIn(one, other);
}

interface OpenBlock {
  readonly kind: "heading" | "table" | "grid" | "text";
  readonly depth: number;
  readonly page: number;
  lastPage: number;
  readonly lines: PagedLine[];
}

interface PagedLine extends Line {
  readonly page: number;
}

function continues(
  block: OpenBlock,
  last: Line,
  line: Line,
  { gap, isNewPage }: { readonly gap: number; readonly isNewPage: boolean },
): boolean {
  if (block.kind === "grid") return false;
  if (block.kind === "heading")
    return !isNewPage && roundSize(last.size) === roundSize(line.size) && isNear(last, line, line.size * 1.7);
  if (block.kind === "table") return !isNewPage;
  if (Math.abs(last.size - line.size) > line.size * 0.2 || ENTRY.test(line.text)) return false;
  const isUnfinished = !SENTENCE_END.test(last.text.trimEnd());
  // On the next page, or at the top of the next column.
  if (isNewPage || line.y > last.y) return isUnfinished && !ENTRY.test(block.lines[0]?.text ?? "");
  if (!isNear(last, line, gap * GAP_SHARE)) return false;
  const endsShort = last.x + last.width < line.column.right - (line.column.right - line.column.left) * 0.2;
  const [first] = block.lines;
  // The text goes on to the left of a list's entry: the list is over.
  if (first && ENTRY.test(first.text) && endsShort && first.x - line.x > line.size * INDENT) return false;
  const isIndented = line.x - last.x > line.size * INDENT && !ENTRY.test(last.text);
  return isUnfinished || !(isIndented || endsShort);
}

function isNear(above: Line, below: Line, distance: number): boolean {
  return above.y > below.y && above.y - below.y <= distance;
}

function close({ kind, depth, page, lines }: OpenBlock, isFirst: boolean, goesOn: GoesOn): Block {
  if (kind === "table" || kind === "grid")
    return { kind: "table", text: lines.map(({ text }) => text).join("\n"), page };
  const { text, pageBreaks } = join(lines, goesOn);
  if (kind === "text") return { kind, text, page, ...(pageBreaks.length > 0 && { pageBreaks }) };
  return { kind, depth: isFirst && page === 1 ? 1 : Math.min(6, depth + 1), text, page };
}

function joinLines(lines: readonly Line[], goesOn: GoesOn): string {
  return join(
    lines.map((line) => ({ ...line, page: 0 })),
    goesOn,
  ).text;
}

/** Lines as one text: a word that a hyphen breaks is whole again, and so is one that just goes on. */
function join(lines: readonly PagedLine[], goesOn: GoesOn): { text: string; pageBreaks: PageBreak[] } {
  let text = "";
  const pageBreaks: PageBreak[] = [];
  for (const [i, line] of lines.entries()) {
    const next = line.text.replace(LEADERS, " … ").trim();
    const before = lines[i - 1];
    if (!before) text = next;
    else if (WORD_BREAK.test(text) && /^\p{Ll}/u.test(next)) text = text.slice(0, -1) + next;
    else if (goesOn(before, line)) text += next;
    else text += ` ${next}`;
    if (before && before.page !== line.page) pageBreaks.push({ page: line.page, at: text.length - next.length });
  }
  return { text, pageBreaks };
}

function roundSize(size: number): number {
  return Math.round(size * 2) / 2;
}

/** The size that most characters have. */
function commonSize(lines: readonly Line[]): number {
  const characters = new Map<number, number>();
  for (const { size, text } of lines) {
    characters.set(roundSize(size), (characters.get(roundSize(size)) ?? 0) + text.length);
  }
  return [...characters].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 0;
}

/** Sizes of headings, the largest first from 1; at most 5. */
function headingDepths(lines: readonly Line[], bodySize: number): ReadonlyMap<number, number> {
  const sizes = new Set(lines.map(({ size }) => roundSize(size)).filter((size) => size >= bodySize * HEADING_SIZE));
  return new Map([...sizes].sort((a, b) => b - a).map((size, i) => [size, Math.min(5, i + 1)]));
}

/** The middle of the distances between a page's lines. */
function usualGap(lines: readonly Line[]): number {
  const gaps = lines.flatMap((line, i) => {
    const above = lines[i - 1];
    return above && above.y > line.y && above.y - line.y < line.size * 3 ? [above.y - line.y] : [];
  });
  return gaps.sort((a, b) => a - b)[gaps.length >> 1] ?? Number.POSITIVE_INFINITY;
}
