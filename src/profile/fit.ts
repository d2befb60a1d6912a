import { mean, rounded } from "../statistics.ts";
import type { BatchPoint, Fit } from "./profile.ts";

/** Least squares of the medians by size; null of fewer than three points. Neither part is below 0. */
export function fitLatency(points: readonly BatchPoint[]): Fit | null {
  if (points.length < 3) return null;
  const all = points.map(({ texts, ms }) => ({ n: texts, ms: ms.p50 }));
  const [n, ms] = [mean(all.map((one) => one.n)), mean(all.map((one) => one.ms))];
  const spread = mean(all.map((one) => (one.n - n) ** 2));
  const slope = mean(all.map((one) => (one.n - n) * (one.ms - ms))) / spread;
  const perTextMs = Math.max(0, slope);
  const fixedMs = Math.max(0, ms - perTextMs * n);
  const errorMs = Math.sqrt(mean(all.map((one) => (fixedMs + perTextMs * one.n - one.ms) ** 2)));
  return {
    fixedMs: rounded(fixedMs, 4),
    perTextMs: rounded(perTextMs, 4),
    errorMs: rounded(errorMs, 4),
    errorShare: rounded(errorMs / ms, 4),
  };
}
