/** Lines at either end of a page that may be its header or footer, others standing between them. */
const MARGIN_LINES = 2;
/** On so many of the pages. */
const REPEATED_SHARE = 0.4;
const REPEATED_MIN = 3;
/** A larger number is none of a page: of a receipt, say. */
const NUMBER_MAX = 500;
/** Text that ends so is content, and so are numbers behind these words, though they count as pages do. */
const SENTENCE_END = /[.!?。][)\]」』"'”’]*$/;
const COUNTED = /^(?:chapter|section|part|step|appendix|no\b|number|제\s?\d)/i;
/** A page's number alone in its line. */
const PAGE_NUMBER =
  /^[^\S\n]*(?:[-–—][^\S\n]*(\d{1,4})[^\S\n]*[-–—]|(?:page|페이지)[^\S\n]*(\d{1,4})(?:[^\S\n]*(?:\/|of)[^\S\n]*\d{1,4})?)[^\S\n]*$/gim;
const NUMBERS_MIN = 3;
/** Without one it is a page's number alone. */
const WORD = /\p{L}{2}/u;
const UNFINISHED = /[^.!?。…:;)\]」』"'”’\s]$/u;
const ENTRY = /^\s*(?:[^\p{L}\s(]|[가-하][.)]\s|제\s?\d)/u;

/**
 * Leaves out what pages repeat at their beginnings and ends, but for one copy, and page numbers; a sentence goes on on the next page. Pages end with
 * form feeds, or with numbers that count them.
 */
export function withoutMargins(source: string): string {
  const numbered = withNumbersAsEnds(source);
  if (!numbered.includes("\f")) return source;
  const pages = numbered.split("\f").map((page) => page.split("\n"));
  const margins = pages.map(marginsOf);
  const counts = new Map<string, number>();
  for (const lines of margins) {
    for (const key of new Set(lines.flatMap(({ keys }) => keys))) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const needed = Math.max(REPEATED_MIN, Math.ceil(pages.length * REPEATED_SHARE));
  const isRepeated = (key: string) => (counts.get(key) ?? 0) >= needed;
  /** Of these pages, what is repeated: not its copy on the first of them. */
  const repeatedOn = (pages: readonly (readonly Margin[])[]) => {
    const seen = new Set<string>();
    return pages.flat().filter(({ keys }) => {
      const isFirst = !keys.some((key) => seen.has(key));
      if (!keys.some(isRepeated)) return false;
      for (const key of keys) seen.add(key);
      return !isFirst || !keys.some((key) => WORD.test(key));
    });
  };
  const headers = margins.map((lines) => lines.filter(({ isTop }) => isTop));
  const footers = margins.map((lines) => lines.filter(({ isTop }) => !isTop));
  const dropped = new Set([...repeatedOn(headers), ...repeatedOn(footers.toReversed())]);
  const texts = pages.map((page, i) => {
    const repeated = new Set(margins[i]?.filter((line) => dropped.has(line)).map(({ at }) => at));
    const kept = page.filter((_, at) => !repeated.has(at));
    const first = kept.findIndex((line) => line.trim() !== "");
    return first === -1 ? "" : kept.slice(first).join("\n").trimEnd();
  });
  const held = texts.filter((text) => text !== "");
  return held.map((text, i) => (i === 0 ? text : `${goesOn(held[i - 1] ?? "", text) ? "\n" : "\n\n"}${text}`)).join("");
}

function goesOn(page: string, next: string): boolean {
  return UNFINISHED.test(page.slice(-1)) && !ENTRY.test(next);
}

/** The source, with form feeds for lines that hold nothing but the numbers of its pages, one after another. */
function withNumbersAsEnds(source: string): string {
  const found = [...source.matchAll(PAGE_NUMBER)].map(([, dashed, named]) => Number(dashed ?? named));
  const isCount =
    found.length >= NUMBERS_MIN && found.every((number, i) => i === 0 || number === (found[i - 1] ?? 0) + 1);
  return isCount ? source.replace(PAGE_NUMBER, source.includes("\f") ? "" : "\f") : source;
}

interface Margin {
  /** What is the same of it on other pages: all, or all but its first or last number, which counts them. */
  readonly keys: readonly string[];
  readonly at: number;
  readonly isTop: boolean;
}

function marginsOf(page: readonly string[], number: number): Margin[] {
  const lines = page.flatMap((line, at) => {
    const text = line.replace(/\s+/g, " ").trim();
    return text === "" ? [] : [{ keys: SENTENCE_END.test(text) ? [] : keysOf(text, number), at }];
  });
  const count = Math.min(MARGIN_LINES, Math.floor((lines.length - 1) / 2));
  if (count < 1) return [];
  const top = lines.slice(0, count).map((line) => ({ ...line, isTop: true }));
  return [...top, ...lines.slice(-count).map((line) => ({ ...line, isTop: false }))];
}

function keysOf(text: string, page: number): string[] {
  if (COUNTED.test(text)) return [text];
  const counted = (said: string) => {
    const ahead = Number(said) - page;
    return ahead >= 0 && ahead <= NUMBER_MAX ? `#${ahead}` : said;
  };
  return [...new Set([text, text.replace(/\d+/, counted), text.replace(/\d+(?=\D*$)/, counted)])];
}
