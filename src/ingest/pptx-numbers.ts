import { numeral } from "./numbering.ts";

/** How numbers of bullets are written, by how their type begins (ECMA-376, 20.1.10.61). */
const FORMATS: readonly (readonly [beginning: string, format: string])[] = [
  ["romanUc", "upperRoman"],
  ["romanLc", "lowerRoman"],
  ["alphaUc", "upperLetter"],
  ["alphaLc", "lowerLetter"],
  ["circleNum", "decimalEnclosedCircle"],
];

/** The numbers that PowerPoint makes before the paragraphs of a text. */
export class BulletNumbers {
  /** By level: the series that is going on. */
  #series: { readonly type: string; last: number }[] = [];
  #level = 0;
  #isNumbered = true;

  begin(): void {
    this.#series = [];
    this.#isNumbered = true;
  }

  /** A paragraph begins; the one before ended its level's series, where it had no number. */
  paragraph(): void {
    if (!this.#isNumbered) this.#series.length = Math.min(this.#series.length, this.#level);
    this.#level = 0;
    this.#isNumbered = false;
  }

  /** Of the paragraph, from 0 to 8. */
  level(level: number): void {
    this.#level = level >= 0 && level < 9 ? level : 0;
  }

  /** What stands before the paragraph. */
  next(type: string, start: number): string {
    this.#isNumbered = true;
    const before = this.#series[this.#level];
    const last = before?.type === type ? before.last + 1 : start;
    this.#series.length = this.#level;
    this.#series[this.#level] = { type, last };
    const [, format = ""] = FORMATS.find(([beginning]) => type.startsWith(beginning)) ?? [];
    const number = numeral(last, format);
    if (type.endsWith("ParenBoth")) return `(${number}) `;
    return `${number}${type.endsWith("ParenR") ? ")" : type.endsWith("Period") ? "." : ""} `;
  }
}
