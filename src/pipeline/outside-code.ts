/** An inline span that is longer is none: its text is held back no further. */
const SPAN_CHARACTERS_MAX = 256;
/** The beginning of a line that may become the end of a fence, also in a quotation. */
const MAY_CLOSE = /\n[ \t>]{0,16}`*$/;
/** Before a fence: nothing, or what begins an item of a list or a quotation. */
const BEGINS_BLOCK = /^(?:[ \t]*(?:[-*+>]|\d{1,3}[.)]))*[ \t]*$/;
/** Of a line that is kept to look at its beginning. */
const LINE_CHARACTERS_MAX = 32;

/** What reads a stream of text: `push` gives what is clear by then, `end` what was held back. */
export interface TextFilter {
  push(text: string): string;
  end(): string;
}

/**
 * Filters what stands outside Markdown's code (https://spec.commonmark.org/0.31.2/#code-spans and #fenced-code-blocks, of backticks alone), where
 * `items[0]` cites nothing. What follows a backtick is held back until another closes it, or none can any more: at the end of the
 * line, or after 256 characters. A fence that is not closed lasts to the end.
 */
export class OutsideCode implements TextFilter {
  readonly #filter: TextFilter;
  #held = "";
  /** Backticks of the fence that is open; 0: none is. */
  #fence = 0;
  /** The beginning of this line. */
  #line = "";

  constructor(filter: TextFilter) {
    this.#filter = filter;
  }

  push(delta: string): string {
    if (this.#held === "" && this.#fence === 0 && !delta.includes("`")) return this.#prose(delta);
    return this.#read(this.#held + delta, false);
  }

  end(): string {
    return this.#read(this.#held, true) + this.#filter.end();
  }

  #read(text: string, isLast: boolean): string {
    this.#held = "";
    let clear = "";
    let at = 0;
    while (at < text.length) {
      if (this.#fence > 0) {
        const end = endOfFence(text, at, this.#fence, isLast);
        clear += text.slice(at, end.at);
        at = end.at;
        if (!end.isClosed) break;
        this.#fence = 0;
        continue;
      }
      const opening = text.indexOf("`", at);
      clear += this.#prose(text.slice(at, opening < 0 ? undefined : opening));
      at = opening < 0 ? text.length : opening;
      const ticks = ticksAt(text, at);
      const inside = at + ticks;
      if (ticks === 0 || (inside === text.length && !isLast && ticks < SPAN_CHARACTERS_MAX)) break;
      const isFence = ticks >= 3 && BEGINS_BLOCK.test(this.#line);
      const end = isFence ? inside : endOfSpan(text, inside, ticks, isLast);
      if (end === "open") break;
      if (isFence) this.#fence = ticks;
      // Not closed on its line: backticks like any other character.
      clear += end === "none" ? this.#prose(text.slice(at, inside)) : this.#filter.end() + text.slice(at, end);
      this.#say("`");
      at = end === "none" ? inside : end;
    }
    this.#held = text.slice(at);
    return clear;
  }

  #prose(text: string): string {
    this.#say(text);
    return this.#filter.push(text);
  }

  #say(text: string): void {
    const begins = text.lastIndexOf("\n") + 1;
    const line = begins > 0 ? "" : this.#line;
    if (line.length < LINE_CHARACTERS_MAX) this.#line = line + text.slice(begins, begins + LINE_CHARACTERS_MAX);
  }
}

/** Backticks there; a longer run counts as several. */
function ticksAt(text: string, at: number): number {
  let end = at;
  while (text.charAt(end) === "`" && end - at < SPAN_CHARACTERS_MAX) end++;
  return end - at;
}

/** Behind as many backticks as opened it; `none`: they do not come, `open`: they may come yet. */
function endOfSpan(text: string, from: number, ticks: number, isLast: boolean): number | "none" | "open" {
  const limit = from + SPAN_CHARACTERS_MAX;
  for (let at = from; at < limit && at < text.length; at++) {
    if (text.charAt(at) === "\n") return "none";
    const run = ticksAt(text, at);
    if (run > 0 && at + run === text.length && !isLast) return "open";
    if (run === ticks) return at + run;
    at += Math.max(0, run - 1);
  }
  return isLast || text.length >= limit ? "none" : "open";
}

/** Behind its closing line's backticks; not closed: where what may become that line begins. */
function endOfFence(text: string, from: number, ticks: number, isLast: boolean): { at: number; isClosed: boolean } {
  const closing = new RegExp(`\\n[ \\t>]{0,16}\`{${ticks},}`, "g");
  closing.lastIndex = from;
  const [found = ""] = closing.exec(text) ?? [];
  if (found !== "" && (closing.lastIndex < text.length || isLast)) return { at: closing.lastIndex, isClosed: true };
  const tail = isLast ? -1 : text.slice(from).search(MAY_CLOSE);
  return { at: tail < 0 ? text.length : from + tail, isClosed: false };
}
