import { memoizedStem, type Stem } from "../text/tokens.ts";

/** Numbers the terms of one partition, 0 upwards. Grows only: a term keeps its number when its last passage goes. */
export class Vocabulary {
  readonly stem: Stem;
  readonly #numbers = new Map<string, number>();
  readonly #terms: string[] = [];

  constructor(stem = memoizedStem()) {
    this.stem = stem;
  }

  /** By number. */
  get terms(): readonly string[] {
    return this.#terms;
  }

  find(term: string): number | undefined {
    return this.#numbers.get(term);
  }

  /** The term of a number that was given out. */
  termOf(number: number): string {
    return this.#terms[number] ?? "";
  }

  /** The term's number, a new one if need be. */
  intern(term: string): number {
    const known = this.#numbers.get(term);
    if (known !== undefined) return known;
    const own = detached(term);
    const number = this.#terms.push(own) - 1;
    this.#numbers.set(own, number);
    return number;
  }
}

/** A copy that does not keep alive the text it was cut from, as V8's slices of 13 or more characters do. */
function detached(term: string): string {
  return term.length < 13 ? term : Buffer.from(term, "utf16le").toString("utf16le");
}
