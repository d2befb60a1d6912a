import { OutsideCode, type TextFilter } from "./outside-code.ts";

/** A longer run is held back no further: it is dropped, with its closing bracket. */
const HELD_CHARACTERS_MAX = 256;
/** What models set before a passage's number: `[출처 2]`. */
const LABELS = ["출처", "sources", "passages"];
const LABEL = /(?:출처|sources?|passages?)[\s:#]*/gi;
/** What some models set behind it: `【2†source】`. */
const ORIGIN = "†[a-z\\d가-힣-]{0,16}";
const ORIGINS = new RegExp(ORIGIN, "gi");
/**
 * What is or may become a citation, up to its closing bracket: `[1`, `[1, 2`, `[1-3`, `【출`; brackets may open inside one. No two of
 * the parts begin alike, so that it is read in one way; there are as many as are held back, so that little is read twice.
 */
const PART = String.raw`[[［【\d０-９\s,，、;；:#–-]|${ORIGIN}|${LABELS.map(begunBy).join("|")}`;
const OPEN = new RegExp(String.raw`([ \t]?)([[［【](?:${PART}){0,${HELD_CHARACTERS_MAX}})`, "gi");
const NUMBERS = /^\s*(\d+(?:\s*[–-]\s*\d+)?(?:\s*[,、;]\s*\d+(?:\s*[–-]\s*\d+)?)*)\s*$/;
/** As nearly every citation is written. */
const PLAIN = /^\[(\d{1,4})$/;
const OPENING = /[[［【]/g;
const CLOSING = /^[\]］】]$/;
const DROPPED_ENDS = /[^[［【\d０-９\s,，、;；:#–-]/;

/** A pattern of everything that the word begins with. */
function begunBy(word: string): string {
  return [...word].reduceRight((rest, letter) => `${letter}${rest && `(?:${rest})?`}`, "");
}

/**
 * Lets only citations through that point at a passage, written as `[n]`: of `[2, 9]` with five passages `[2]` stays, `[9]` goes, `[1-3]`
 * becomes `[1][2][3]`, and `【２】`, `[출처 2]` or `[2†source]` become `[2]`. Works on a stream: text that may still become a citation is
 * held back until it is clear, so that the outcome is the same however the text is split.
 */
export class CitationFilter implements TextFilter {
  readonly #passages: number;
  #held = "";
  #dropping = false;
  /** Brackets around a citation that went, where nothing else has followed it yet. */
  #unclosed = 0;

  constructor(passages: number) {
    this.#passages = passages;
  }

  push(delta: string): string {
    if (this.#held === "" && !this.#dropping && this.#unclosed === 0 && !/[[［【]|[ \t]$/.test(delta)) return delta;
    return this.#read(this.#held + delta, false);
  }

  /** What was held back when the stream ended. */
  end(): string {
    return this.#read(this.#held, true);
  }

  #read(text: string, isLast: boolean): string {
    this.#held = "";
    let at = this.#dropping ? this.#afterDropped(text, 0) : this.#afterUnclosed(text, 0);
    let clear = "";
    const opening = new RegExp(OPEN);
    opening.lastIndex = at;
    for (let match = opening.exec(text); match; match = opening.exec(text)) {
      const { 0: whole, 1: space = "", 2: open = "", index } = match;
      const end = index + whole.length;
      clear += text.slice(at, index);
      if (open.length > HELD_CHARACTERS_MAX) {
        at = this.#afterDropped(text, index + space.length + HELD_CHARACTERS_MAX + 1);
      } else if (end === text.length && !isLast) {
        this.#held = whole;
        return clear;
      } else if (CLOSING.test(text.charAt(end))) {
        clear += this.#closed(space, open, text.charAt(end));
        at = this.#afterUnclosed(text, end + 1);
      } else {
        clear += whole;
        at = end;
      }
      opening.lastIndex = at;
    }
    const rest = text.slice(at);
    if (isLast || !/[ \t]$/.test(rest)) return clear + rest;
    this.#held = rest.slice(-1);
    return clear + rest.slice(0, -1);
  }

  /** Where the text goes on after a run that is dropped; its end when the run may still go on. */
  #afterDropped(text: string, from: number): number {
    const length = text.slice(from).search(DROPPED_ENDS);
    this.#dropping = length < 0;
    if (length < 0) return text.length;
    return from + length + (CLOSING.test(text.charAt(from + length)) ? 1 : 0);
  }

  /** Where the text goes on after the closing brackets of those that went. */
  #afterUnclosed(text: string, from: number): number {
    let at = from;
    while (this.#unclosed > 0 && at < text.length) {
      if (CLOSING.test(text.charAt(at))) {
        this.#unclosed--;
        at++;
      } else {
        this.#unclosed = 0;
      }
    }
    return at;
  }

  /** What becomes of `[1, 2]`; of brackets around one that goes, nothing is left that could close as another. */
  #closed(space: string, open: string, closing: string): string {
    const n = PLAIN.exec(open)?.[1];
    if (n !== undefined && closing === "]" && Number(n) >= 1 && Number(n) <= this.#passages)
      return `${space}[${Number(n)}]`;
    const brackets = [...open.matchAll(OPENING)].map(({ index }) => index);
    const last = brackets.at(-1) ?? 0;
    const before = open.slice(0, last);
    const inside = open
      .slice(last + 1)
      .normalize("NFKC")
      .replace(ORIGINS, "")
      .replace(LABEL, "");
    const named = NUMBERS.exec(inside)?.[1];
    if (named === undefined) return space + open + closing;
    const numbers = this.#existing(named);
    if (numbers.length > 0) return space + before + numbers.map((n) => `[${n}]`).join("");
    this.#unclosed = brackets.length - 1;
    const rest = before.replace(OPENING, "");
    return rest && space + rest;
  }

  #existing(inside: string): number[] {
    const numbers = new Set<number>();
    for (const part of inside.split(/[,、;]/)) {
      const [from, to = from] = part.split(/[–-]/).map(Number);
      if (!from || !to) continue;
      for (let n = Math.max(1, from); n <= Math.min(to, this.#passages); n++) numbers.add(n);
    }
    return [...numbers];
  }
}

/** The numbers that a text, as readers are shown it, cites. */
export function citedIn(text: string): Set<number> {
  const cited = new Set<number>();
  const push = (prose: string) => {
    for (const [, n] of prose.matchAll(/\[(\d{1,3})\]/g)) cited.add(Number(n));
    return "";
  };
  const outside = new OutsideCode({ push, end: () => "" });
  outside.push(text);
  outside.end();
  return cited;
}
