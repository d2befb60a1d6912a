import type { Pooling } from "../../hub/files.ts";

interface Output {
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** One vector of unit length a row, of a transformer's outputs; rows are padded on the right. */
export function pooled(
  outputs: Readonly<Record<string, Output>>,
  rows: readonly { readonly ids: readonly number[] }[],
  pooling: Pooling,
): { values: Float32Array; width: number } {
  const whole = outputs.sentence_embedding;
  if (whole) {
    const width = whole.dims[1] ?? 0;
    return { values: unitRows(Float32Array.from(whole.data as Float32Array), width), width };
  }
  const states = outputs.last_hidden_state ?? outputs.token_embeddings ?? Object.values(outputs)[0];
  const [, length = 0, width = 0] = states?.dims ?? [];
  const data = states?.data as Float32Array;
  const values = new Float32Array(rows.length * width);
  for (const [row, { ids }] of rows.entries()) {
    const from = row * length * width;
    const into = values.subarray(row * width, (row + 1) * width);
    const token = (i: number) => data.subarray(from + i * width, from + (i + 1) * width);
    if (pooling === "cls") into.set(token(0));
    else if (pooling === "last") into.set(token(ids.length - 1));
    else if (pooling === "max") maximum(into, ids.length, token);
    else sum(into, ids.length, token);
  }
  return { values: unitRows(values, width), width };
}

/** In place of the mean: the direction is the same. */
function sum(into: Float32Array, tokens: number, token: (i: number) => Float32Array): void {
  for (let i = 0; i < tokens; i++) {
    const values = token(i);
    for (let j = 0; j < into.length; j++) into[j] = (into[j] ?? 0) + (values[j] ?? 0);
  }
}

function maximum(into: Float32Array, tokens: number, token: (i: number) => Float32Array): void {
  into.set(token(0));
  for (let i = 1; i < tokens; i++) {
    const values = token(i);
    for (let j = 0; j < into.length; j++) into[j] = Math.max(into[j] ?? 0, values[j] ?? 0);
  }
}

function unitRows(values: Float32Array, width: number): Float32Array {
  for (let from = 0; from < values.length; from += width) {
    const row = values.subarray(from, from + width);
    let squares = 0;
    for (const value of row) squares += value * value;
    const norm = Math.sqrt(squares);
    if (norm > 0) for (let j = 0; j < row.length; j++) row[j] = (row[j] ?? 0) / norm;
  }
  return values;
}
