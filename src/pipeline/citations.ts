/** What is or may become a citation, up to its closing bracket: `[1`, `[1, 2`, `[1-3`; brackets may open inside one. */
const OPEN = /([ \t]?)((?:\[[\d\s,;–-]*)+)/g;
const NUMBERS = /^\[\s*(\d+(?:\s*[–-]\s*\d+)?(?:\s*[,;]\s*\d+(?:\s*[–-]\s*\d+)?)*)\s*$/;
/** A longer run is held back no further: it is dropped, with its closing bracket. */
const HELD_CHARACTERS_MAX = 256;

/**
 * Lets only citations through that point at a passage: of `[2, 9]` with five passages `[2]` stays, `[9]` goes, `[1-3]` becomes
 * `[1][2][3]`. Works on a stream: text that may still become a citation is held back until it is clear, so that the outcome
 * is the same however the text is split.
 */
export class CitationFilter {
  readonly #passages: number;
  #held = "";
  #dropping = false;

  constructor(passages: number) {
    this.#passages = passages;
  }

  push(delta: string): string {
    if (this.#held === "" && !this.#dropping && !/\[|[ \t]$/.test(delta)) return delta;
    return this.#read(this.#held + delta, false);
  }

  /** What was held back when the stream ended. */
  end(): string {
    return this.#read(this.#held, true);
  }

  #read(text: string, isLast: boolean): string {
    this.#held = "";
    let at = this.#dropping ? this.#afterDropped(text, 0) : 0;
    let clear = "";
    const opening = new RegExp(OPEN);
    opening.lastIndex = at;
    for (let match = opening.exec(text); match; match = opening.exec(text)) {
      const { 0: whole, 1: space = "", 2: open = "", index } = match;
      const end = index + whole.length;
      clear += text.slice(at, index);
      if (open.length > HELD_CHARACTERS_MAX) {
        at = this.#afterDropped(text, end);
      } else if (end === text.length && !isLast) {
        this.#held = whole;
        return clear;
      } else if (text[end] === "]") {
        clear += this.#closed(space, open);
        at = end + 1;
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
    const length = text.slice(from).search(/[^[\d\s,;–-]/);
    this.#dropping = length < 0;
    if (length < 0) return text.length;
    return from + length + (text[from + length] === "]" ? 1 : 0);
  }

  /** What becomes of `[1, 2]`; of brackets around one that goes, nothing is left that could close as another. */
  #closed(space: string, open: string): string {
    const last = open.lastIndexOf("[");
    const inside = NUMBERS.exec(open.slice(last))?.[1];
    if (inside === undefined) return `${space}${open}]`;
    const numbers = this.#existing(inside);
    if (numbers.length > 0) return space + open.slice(0, last) + numbers.map((n) => `[${n}]`).join("");
    return last === 0 ? "" : space + open.slice(0, last).replaceAll("[", "");
  }

  #existing(inside: string): number[] {
    const numbers = new Set<number>();
    for (const part of inside.split(/[,;]/)) {
      const [from, to = from] = part.split(/[–-]/).map(Number);
      if (!from || !to) continue;
      for (let n = Math.max(1, from); n <= Math.min(to, this.#passages); n++) numbers.add(n);
    }
    return [...numbers];
  }
}
