/** One value a passage, dictionary-encoded: passage i has `values[codes[i] - 1]`, or none where its code is 0. */
export interface Column<T> {
  readonly values: readonly T[];
  readonly codes: Uint32Array;
}

/** Encodes values that are equal as JSON under one code. */
export class ColumnBuilder<T> {
  readonly #values: T[] = [];
  readonly #codes: Uint32Array;
  readonly #codeOf = new Map<string, number>();

  constructor(size: number) {
    this.#codes = new Uint32Array(size);
  }

  set(passage: number, value: T): void {
    this.setCode(passage, this.encode(value));
  }

  setCode(passage: number, code: number): void {
    this.#codes[passage] = code;
  }

  /** The value's code, a new one if need be. */
  encode(value: T): number {
    const key = JSON.stringify(value);
    let code = this.#codeOf.get(key);
    if (code === undefined) {
      code = this.#values.push(value);
      this.#codeOf.set(key, code);
    }
    return code;
  }

  build(): Column<T> {
    return { values: this.#values, codes: this.#codes };
  }
}

export function valueAt<T>(column: Column<T>, passage: number): T | undefined {
  return column.values[(column.codes[passage] as number) - 1];
}

/** One byte a passage, 1 where the predicate holds; it is evaluated once per distinct value, not per passage. */
export function select<T>(column: Column<T>, holds: (value: T | undefined) => boolean): Uint8Array {
  const verdicts = Uint8Array.from([undefined, ...column.values], (value) => (holds(value) ? 1 : 0));
  const mask = new Uint8Array(column.codes.length);
  for (let i = 0; i < mask.length; i++) mask[i] = verdicts[column.codes[i] as number] as number;
  return mask;
}
