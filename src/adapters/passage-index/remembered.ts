/**
 * What was read once and never changes, by ids that are never used again. Bounded by what its values weigh together; the oldest go first.
 */
export class Remembered<T> {
  readonly #values = new Map<string, T>();
  readonly #weightOf: (value: T) => number;
  readonly #weightMax: number;
  #weight = 0;

  constructor(weightMax: number, weightOf: (value: T) => number) {
    this.#weightMax = weightMax;
    this.#weightOf = weightOf;
  }

  /** All of these that there are; `read` gives those that are not remembered. */
  async all(
    ids: Iterable<string>,
    read: (missing: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ): Promise<Map<string, T>> {
    const found = new Map<string, T>();
    const missing: string[] = [];
    for (const id of ids) {
      const value = this.#values.get(id);
      if (value === undefined) missing.push(id);
      else found.set(id, value);
    }
    if (missing.length === 0) return found;
    for (const [id, value] of await read(missing)) {
      found.set(id, value);
      this.#add(id, value);
    }
    return found;
  }

  #add(id: string, value: T): void {
    const weight = this.#weightOf(value);
    if (weight > this.#weightMax || this.#values.has(id)) return;
    this.#values.set(id, value);
    this.#weight += weight;
    for (const [oldest, old] of this.#values) {
      if (this.#weight <= this.#weightMax) break;
      this.#values.delete(oldest);
      this.#weight -= this.#weightOf(old);
    }
  }
}
