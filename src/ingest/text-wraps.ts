import { breaksOf, type GoesOn } from "./pdf-breaks.ts";
import type { Line } from "./pdf-lines.ts";
import { columnsOf } from "./text-columns.ts";

/** Narrower lines are written so. */
const WIDTH_MIN = 36;
/** Lines this much shorter than the width may still be full: letters have widths of their own where the text was laid out. */
const SLACK_SHARE = 0.05;
/** Lines of this share of the width tell whether it is one. */
const LONG_SHARE = 0.6;
const FULL_MIN = 3;
const FULL_SHARE = 0.8;
/** Of full lines: those that sentences go on behind, and how many ways there are in which the next ones begin. */
const PROSE_SHARE = 0.6;
/** Lines that may be longer: addresses that nothing breaks, rows of tables. */
const LONGER_SHARE = 0.05;
const CANDIDATES_MAX = 8;
/** A longer word, such as an address, finds no room in any line. */
const WORD_SHARE_MAX = 0.5;
/** Of the lines, those in which a sentence ends: lists of titles, paths or commands have none. */
const SENTENCES_SHARE = 0.05;
const SENTENCE = /[.!?。…](?=[)\]」』"'”’]*(?:\s|$))|[다요음함됨임](?=\s*$)/u;
const SAMPLE_MAX = 5_000;

const ENTRY =
  /^\s*(?:[-*+•·‑–—>|#※☞○●◎◦□■▪▫▶►◆◇△▲▽▼★☆]|[①-⑳㉠-㉻㈀-㈎]|\d{1,3}(?:\.\d{1,3})*[.)]\s|[가-하][.)]\s|[([<（〔【][\p{L}\d]{1,3}[)\]>）〕】]|[A-Za-z][.)]\s|(?:Q|A|문|답|질문|답변)\s?\d{0,3}\s?[.:)])/u;
const FIELD = /^\s*\p{L}[^\s:：]{0,11}\s?[:：](?:\s|$)/u;
const SETTING = /^\s*[\w.$-]+\s?=/;
const ARTICLE = /^\s*제\s?\d{1,4}\s?(?:조(?:의\s?\d{1,3})?\s?[([【（[]|[편장절관](?:\s|$))/;
const SENTENCE_END = /[.!?。…:;][)\]」』"'”’]*$|[다요음함됨임]\.?$/u;
/** Of prose that is broken, with a word at the end, and none that begins a sentence behind it; code ends its lines with signs. */
const BREAKS_OFF = /[\p{L}\p{N}-]$/u;
const GOES_ON = /^\s*[\p{Ll}\p{sc=Hangul}\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/u;
const BEGINS_TEXT = /^\s*[\p{L}\d"'“‘(（「『]/u;
const DATE = /(?:^|\D)(?:(?:19|20)\d\d\.|(?:19|20)\d\d\.\s?\d{1,2}\.)$/;
/** Of a table of contents, before the page. */
const LEADERS = /(?:[…‥⋯]|(?:[.·∙・]\s?){3})\s*\d{1,4}$/;
const WORD_BREAK = /\p{L}[-‐]$/u;
const IDEOGRAPH = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}、。]/u;

/** How wide the lines of a text are, in columns of a screen or in characters. */
interface Filling {
  readonly width: number;
  readonly measure: (text: string) => number;
}

/** A line, and the one behind it. */
interface Break {
  readonly line: string;
  readonly next: string;
}

/** Lines that belong together. */
interface Run {
  readonly lines: string[];
  readonly filling: Filling | null;
}

const MEASURES: readonly Filling["measure"][] = [columnsOf, ({ length }) => length];

/**
 * Joins the lines of paragraphs that were broken because they were full, as where every line has at most 80 columns: those of the whole
 * text, or, where that has no common width, of a paragraph.
 */
export function unwrapped(paragraphs: readonly (readonly string[])[]): string[][] {
  const common = fillingOf(paragraphs);
  const runs = paragraphs.map((lines) => runsOf(lines, common ?? fillingOf([lines])));
  if (!runs.some((all) => all.some((run) => run.lines.length > 1))) return paragraphs.map((lines) => [...lines]);
  const goesOn = breaksOf(runs.flatMap((all) => all.map(asLines)));
  return runs.map((all) => all.map((run) => joined(run, goesOn)));
}

/** Null: no line is broken, as far as the text tells. */
function fillingOf(paragraphs: readonly (readonly string[])[]): Filling | null {
  const breaks = paragraphs
    .flatMap((lines) => lines.slice(1).map((next, i): Break => ({ line: (lines[i] as string).trimEnd(), next })))
    .filter(mayGoOn)
    .slice(0, SAMPLE_MAX);
  const sentences = paragraphs.flat().filter((line) => SENTENCE.test(line));
  if (breaks.length < FULL_MIN || sentences.length < Math.max(1, breaks.length * SENTENCES_SHARE)) return null;
  for (const measure of MEASURES) {
    const widths = breaks.map(({ line }) => measure(line)).sort((a, b) => b - a);
    const longest = new Set(widths.slice(0, Math.ceil(widths.length * LONGER_SHARE) + 1));
    const filling = [...longest]
      .slice(0, CANDIDATES_MAX)
      .map((width) => ({ width, measure }))
      .find((candidate) => isFilled(candidate, breaks));
    if (filling) return filling;
  }
  return null;
}

/** Whether most long lines are full, and go on as sentences do. */
function isFilled(filling: Filling, breaks: readonly Break[]): boolean {
  const { width, measure } = filling;
  if (width < WIDTH_MIN) return false;
  const long = breaks.filter(({ line }) => measure(line) >= width * LONG_SHARE && measure(line) <= width);
  const full = long.filter((at) => isFull(at, filling));
  if (full.length < FULL_MIN || full.length < long.length * FULL_SHARE) return false;
  const prose = full.filter(
    ({ line, next }) => BREAKS_OFF.test(line) && !SENTENCE_END.test(line) && GOES_ON.test(next),
  );
  const beginnings = new Set(full.map(({ next }) => wordOf(next).replace(/\d+/g, "0")));
  return Math.min(prose.length, beginnings.size) >= full.length * PROSE_SHARE;
}

/** Whether the next word had no room. */
function isFull({ line, next }: Break, { width, measure }: Filling): boolean {
  const word = measure(wordOf(next));
  return word <= width * WORD_SHARE_MAX && measure(line) + 1 + word > width * (1 - SLACK_SHARE);
}

function wordOf(line: string): string {
  return /\S+/.exec(line)?.[0] ?? "";
}

function mayGoOn({ line, next }: Break): boolean {
  if (LEADERS.test(line)) return false;
  if (DATE.test(line) && /^\s*\d{1,2}\./.test(next)) return true;
  if (ARTICLE.test(next)) return !SENTENCE_END.test(line);
  return BEGINS_TEXT.test(next) && !ENTRY.test(next) && !FIELD.test(next) && !SETTING.test(next);
}

function runsOf(lines: readonly string[], filling: Filling | null): Run[] {
  const runs: Run[] = [];
  for (const [i, next] of lines.entries()) {
    const at = { line: lines[i - 1]?.trimEnd() ?? "", next };
    if (i > 0 && filling && mayGoOn(at) && isFull(at, filling)) runs.at(-1)?.lines.push(next);
    else runs.push({ lines: [next], filling });
  }
  return runs;
}

/** As lines of a page with letters of one width, a syllable being as wide as high. */
function asLines({ lines }: Run): Line[] {
  return lines.map((line, i) => {
    const text = line.trim();
    const width = columnsOf(text);
    const endsWithSpace = /\s$/.test(line) || (/^ \S/.test(lines[i + 1] ?? "") && !/^\s/.test(line));
    return { text, x: 0, y: 0, width, size: 2, cells: 1, endsWithSpace, column: { left: 0, right: width } };
  });
}

function joined(run: Run, goesOn: GoesOn): string {
  const lines = asLines(run);
  return lines.slice(1).reduce((text, next, i) => {
    const line = lines[i] as Line;
    if (WORD_BREAK.test(text.slice(-2)) && /^\p{Ll}/u.test(next.text)) return text.slice(0, -1) + next.text;
    const isIdeographic = IDEOGRAPH.test(text.slice(-1)) && IDEOGRAPH.test(next.text.charAt(0));
    const isWhole = isIdeographic || (!hasRoom(run, i) && goesOn(line, next));
    return `${text}${isWhole ? "" : " "}${next.text}`;
  }, run.lines[0]?.trimEnd() ?? "");
}

/** Whether one more character would have fitted, so that a word ended there. */
function hasRoom({ lines, filling }: Run, at: number): boolean {
  const next = lines[at + 1]?.trimStart().charAt(0) ?? "";
  return filling !== null && !isFull({ line: (lines[at] as string).trimEnd(), next }, filling);
}
