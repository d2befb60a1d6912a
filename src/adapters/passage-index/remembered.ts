/** Of values. */
interface Limits<T> {
  readonly weightMax: number;
  readonly weightOf: (value: T) => number;
  /** Absent: as many as weigh no more together. */
  readonly countMax?: number;
}

/** What was read once, by key. Those that were read first go first, whatever took the place of what was read. */
export class Remembered<Key, T> {
  readonly #values = new Map<Key, T>();
  /** Goes on from where it was: one begun anew would walk over all that were forgotten before the first that is left. */
  readonly #oldest = this.#values.keys();
  readonly #limits: Limits<T>;
  #weight = 0;

  constructor(limits: Limits<T>) {
    this.#limits = limits;
  }

  /** All of these that there are; `read` gives those that are not remembered, each asked for once. */
  async all(
    keys: Iterable<Key>,
    read: (missing: readonly Key[]) => Promise<ReadonlyMap<Key, T>>,
  ): Promise<Map<Key, T>> {
    const found = new Map<Key, T>();
    const missing = new Set<Key>();
    for (const key of keys) {
      const value = this.#values.get(key);
      if (value === undefined) missing.add(key);
      else found.set(key, value);
    }
    if (missing.size === 0) return found;
    for (const [key, value] of await read([...missing])) {
      found.set(key, value);
      this.add(key, value);
    }
    return found;
  }

  /** All of these; null: some are not remembered. */
  known(keys: Iterable<Key>): Map<Key, T> | null {
    const found = new Map<Key, T>();
    for (const key of keys) {
      const value = this.#values.get(key);
      if (value === undefined) return null;
      found.set(key, value);
    }
    return found;
  }

  get(key: Key): T | undefined {
    return this.#values.get(key);
  }

  /** One that weighs more than all may together is not kept. */
  add(key: Key, value: T): void {
    const { weightMax, weightOf, countMax = Number.POSITIVE_INFINITY } = this.#limits;
    const weight = weightOf(value);
    if (weight > weightMax) return;
    const before = this.#values.get(key);
    // In its place: of keys that are deleted and set again V8 keeps every table that the iterator has not left.
    this.#values.set(key, value);
    this.#weight += weight - (before === undefined ? 0 : weightOf(before));
    while (this.#weight > weightMax || this.#values.size > countMax) {
      const oldest = this.#oldest.next();
      if (oldest.done) return;
      this.#forget(oldest.value);
    }
  }

  #forget(key: Key): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#weight -= this.#limits.weightOf(value);
  }
}
