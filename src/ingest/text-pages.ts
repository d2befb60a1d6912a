/** Lines at either end of a page that may be its header or footer, others standing between them. */
const MARGIN_LINES = 2;
/** On so many of the pages, at least 2. */
const REPEATED_SHARE = 0.4;
/** A page's number alone in its line. */
const PAGE_NUMBER =
  /^[^\S\n]*(?:[-–—][^\S\n]*(\d{1,4})[^\S\n]*[-–—]|(?:page|페이지)[^\S\n]*(\d{1,4})(?:[^\S\n]*(?:\/|of)[^\S\n]*\d{1,4})?)[^\S\n]*$/gim;
const NUMBERS_MIN = 3;
const UNFINISHED = /[^.!?。…:;)\]」』"'”’\s]$/u;
const ENTRY = /^\s*(?:[^\p{L}\s(]|[가-하][.)]\s|제\s?\d)/u;

/**
 * Leaves out what pages repeat, but for its numbers, at their beginnings and ends, and page numbers; a sentence goes on on the next page. Pages end with
 * form feeds, or with numbers that count them.
 */
export function withoutMargins(source: string): string {
  const numbered = withNumbersAsEnds(source);
  if (!numbered.includes("\f")) return source;
  const pages = numbered.split("\f").map((page) => page.split("\n"));
  const margins = pages.map(marginsOf);
  const counts = new Map<string, number>();
  for (const lines of margins) {
    for (const key of new Set(lines.map(({ key }) => key))) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const needed = Math.max(2, Math.ceil(pages.length * REPEATED_SHARE));
  const texts = pages.map((page, i) => {
    const repeated = new Set(margins[i]?.flatMap(({ key, at }) => ((counts.get(key) ?? 0) >= needed ? [at] : [])));
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

function marginsOf(page: readonly string[]): { readonly key: string; readonly at: number }[] {
  const lines = page.flatMap((line, at) =>
    line.trim() === "" ? [] : [{ key: line.replace(/\d+/g, "#").replace(/\s+/g, " ").trim(), at }],
  );
  const count = Math.min(MARGIN_LINES, Math.floor((lines.length - 1) / 2));
  return count > 0 ? [...lines.slice(0, count), ...lines.slice(-count)] : [];
}
