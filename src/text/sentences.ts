/** A piece of a text: `text.slice(start, end)`, without white space around it. Offsets in UTF-16 code units. */
export interface Sentence {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Where a sentence may end: closing punctuation with the quotes and brackets behind it, or line ends. */
const BOUNDARY = /[.!?…。！？]+["'”’」』)\]*_`]*|\n+/gu;

/** English abbreviations that end in a dot inside a sentence, and single capitals (initials). */
const ABBREVIATION =
  /(?:^|[\s("'“‘])(?:\p{Lu}|[A-Za-z]\.[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|Nos|vs|cf|al|approx|Fig|Figs|Eq|Sec|Art|Vol|pp|p|ca|Inc|Ltd|Co|Jr|Sr)$/u;

/** A number or letter that opens a list entry: `1.`, `12.`, `가.`, `a.` */
const ENUMERATOR = /^[\s>#*-]*(?:\d{1,3}|[가나다라마바사아자차카타파하]|[A-Za-z])$/u;

/** A date as Korea writes it, before one of its dots: `2026. 4. 17.`, `2026.4.17.`, `4. 17.`; and what stands behind any but its last. */
const DATE = /(?<!\d)(?:(?:19|20)\d\d\.\s?(?:0?[1-9]|1[0-2])(?:\.\s?\d{1,2})?|(?:0?[1-9]|1[0-2])\.\s\d{1,2})$/u;
const YEAR_OR_MONTH = /(?<!\d)(?:(?:19|20)\d\d|0?[1-9]|1[0-2])$/u;
const DATE_GOES_ON = /^\s\d{1,2}\./u;

/** A Korean sentence's end with the next one close behind it, a space having been forgotten: `한다.그리고`. */
const RUN_ON = /^[다요죠까][.!?]\p{sc=Hangul}$/u;

/** Lines that begin something of their own: list entries, headings, table rows, quotes, fences, ① and 1. and 가. */
const BLOCK_START =
  /^[ \t]*(?:[-*+•·>|#]|```|~~~|\d{1,3}[.)]\s|[가나다라마바사아자차카타파하][.)]\s|[①-⑳]|\([\dA-Za-z가나다라마바사아자차카타파하]{1,2}\))/u;

/** Characters looked at before a boundary, for an abbreviation, and after it, for a block's start behind its indentation. */
const LOOK_BACK = 12;
const LOOK_AHEAD = 24;

/**
 * Splits a text, Korean or English, into its sentences. Line ends split where a blank line, a list entry, a heading or a table
 * row follows; an ordinary line end within a paragraph does not. By rule instead of `Intl.Segmenter`, which parts `1.` and `가.`
 * from the entry they number, `Dr.` from the name, and answers differently from one ICU version to the next. Linear in time.
 */
export function splitSentences(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  let start = 0;
  for (const match of text.matchAll(BOUNDARY)) {
    const end = match.index + match[0].length;
    if (!endsSentence(text, start, match.index, match[0])) continue;
    pushTrimmed(text, start, end, sentences);
    start = end;
  }
  pushTrimmed(text, start, text.length, sentences);
  return sentences;
}

function endsSentence(text: string, start: number, index: number, mark: string): boolean {
  const end = index + mark.length;
  if (mark.startsWith("\n")) {
    return mark.length > 1 || BLOCK_START.test(text.slice(end, end + LOOK_AHEAD)) || isBlockLine(text, index);
  }
  if (/[。！？]/u.test(mark) || RUN_ON.test(text.slice(index - 1, end + 1))) return true;
  if (end < text.length && !/\s/u.test(text.charAt(end))) return false;
  if (!mark.startsWith(".") || mark.startsWith("..")) return true;
  if (index - start <= LOOK_BACK && ENUMERATOR.test(text.slice(start, index))) return false;
  const before = text.slice(Math.max(start, index - LOOK_BACK), index);
  if (ABBREVIATION.test(before) || DATE.test(before)) return false;
  if (YEAR_OR_MONTH.test(before) && DATE_GOES_ON.test(text.slice(end, end + 4))) return false;
  return !/^\s+\p{Ll}/u.test(text.slice(end, end + 4));
}

/** Whether the line that ends at `index` stands alone: a heading or a table row. */
function isBlockLine(text: string, index: number): boolean {
  const lineStart = text.lastIndexOf("\n", index - 1) + 1;
  return /^[ \t]*[#|]/u.test(text.slice(lineStart, lineStart + LOOK_AHEAD));
}

function pushTrimmed(text: string, from: number, to: number, sentences: Sentence[]): void {
  const piece = text.slice(from, to);
  const trimmed = piece.trim();
  if (trimmed === "") return;
  const start = from + piece.length - piece.trimStart().length;
  sentences.push({ text: trimmed, start, end: start + trimmed.length });
}
