/** What may still become a citation: `[1`, `[1, 2`, `[1-3`, with any spaces; a bracket alone counts. */
const OPEN = /\[[\d\s,;–-]*$/;
const CITATION = /[ \t]?\[\s*(\d+(?:\s*[–-]\s*\d+)?(?:\s*[,;]\s*\d+(?:\s*[–-]\s*\d+)?)*)\s*\]/g;
/** A longer run of digits is held back no further: it is dropped up to its bracket. */
const HELD_CHARACTERS_MAX = 64;

/**
 * Lets only citations through that point at a passage: of `[2, 9]` with five passages `[2]` stays, `[9]` goes, `[1-3]` becomes
 * `[1][2][3]`. Works on a stream: text that may still become a citation is held back until it is clear.
 */
export class CitationFilter {
  readonly #passages: number;
  #held = "";
  #dropping = false;

  constructor(passages: number) {
    this.#passages = passages;
  }

  push(delta: string): string {
    if (this.#held === "" && !this.#dropping && !delta.includes("[")) return delta;
    let text = this.#held + delta;
    if (this.#dropping) {
      const end = text.search(/[^\d\s,;–-]/);
      if (end < 0) return "";
      text = text[end] === "]" ? text.slice(end + 1) : text.slice(end);
      this.#dropping = false;
    }
    const open = text.search(OPEN);
    const clear = open < 0 ? text : text.slice(0, open).replace(/[ \t]$/, "");
    this.#held = text.slice(clear.length);
    if (this.#held.length > HELD_CHARACTERS_MAX) {
      this.#held = "";
      this.#dropping = true;
    }
    return this.#check(clear);
  }

  /** What was held back when the stream ended. */
  end(): string {
    const rest = this.#check(this.#held);
    this.#held = "";
    return rest;
  }

  #check(text: string): string {
    return text.replace(CITATION, (whole, inside: string) => {
      const numbers = this.#existing(inside);
      if (numbers.length === 0) return "";
      const space = whole.startsWith("[") ? "" : " ";
      return space + numbers.map((n) => `[${n}]`).join("");
    });
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
