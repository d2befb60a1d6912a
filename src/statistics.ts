export interface Percentiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Nearest rank of ascending values; NaN of none. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Null of no values. */
export function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => rounded(quantile(sorted, share));
  return {
    count: sorted.length,
    mean: rounded(mean(sorted)),
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  };
}

/** 0 of none. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Of vectors of one length; of unit vectors their cosine. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Null for zeros alone too: an embedder gives them for a text of which it knows no word, and they are near to nothing. */
export function nonZero(vector: Float32Array | null | undefined): Float32Array | null {
  return vector?.some((value) => value !== 0) ? vector : null;
}

/** Scores of things in their order, as `{index, score}`: the best first, of equal ones the first. */
export function bestFirst(scores: readonly number[]): { readonly index: number; readonly score: number }[] {
  return scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score || a.index - b.index);
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
