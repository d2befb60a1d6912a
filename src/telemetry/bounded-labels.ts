/** Labels for names of which there may be any number: the first are labels themselves, all others are `other`. The empty one, nobody's, stays. */
export class BoundedLabels {
  readonly #named = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  of(name: string): string {
    if (name === "" || this.#named.has(name)) return name;
    if (this.#named.size >= this.#max) return "other";
    this.#named.add(name);
    return name;
  }
}
