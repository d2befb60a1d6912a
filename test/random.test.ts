import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Distribution, draw, seeded } from "../src/random.ts";

const DRAWS = 20_000;

function sorted(of: Distribution, seed = 1): number[] {
  const random = seeded(seed);
  return Array.from({ length: DRAWS }, () => draw(of, random)).sort((a, b) => a - b);
}
const quantile = (values: readonly number[], share: number) => values[Math.floor(share * values.length)] ?? Number.NaN;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("emulated times", () => {
  test("a number is always itself", () => {
    expect(new Set(sorted(7))).toEqual(new Set([7]));
  });

  test("uniform: mean and ends", () => {
    const values = sorted({ distribution: "uniform", min: 10, max: 30 });
    expect(mean(values)).toBeCloseTo(20, 0);
    expect(values[0]).toBeGreaterThanOrEqual(10);
    expect(values.at(-1)).toBeLessThan(30);
    expect(quantile(values, 0.9)).toBeCloseTo(28, 0);
  });

  test("exponential: mean, and the median that is ln 2 of it", () => {
    const values = sorted({ distribution: "exponential", mean: 100 });
    expect(mean(values) / 100).toBeCloseTo(1, 1);
    expect(quantile(values, 0.5) / (100 * Math.LN2)).toBeCloseTo(1, 1);
    expect(quantile(values, 0.95) / (100 * Math.log(20))).toBeCloseTo(1, 1);
  });

  test("lognormal: median, and p95 at exp(1.645 σ) of it", () => {
    const values = sorted({ distribution: "lognormal", median: 50, sigma: 0.5 });
    expect(quantile(values, 0.5) / 50).toBeCloseTo(1, 1);
    expect(quantile(values, 0.95) / (50 * Math.exp(1.645 * 0.5))).toBeCloseTo(1, 1);
  });

  test("one seed gives one sequence, another one another", () => {
    const of: Distribution = { distribution: "exponential", mean: 5 };
    expect(sorted(of, 3)).toEqual(sorted(of, 3));
    expect(sorted(of, 3)).not.toEqual(sorted(of, 4));
  });

  test("whatever the seed: never negative, never NaN", () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1e5, noNaN: true }), (seed, size) => {
        const random = seeded(seed);
        for (const of of [
          { distribution: "exponential", mean: size },
          { distribution: "lognormal", median: size, sigma: 2 },
          { distribution: "uniform", min: 0, max: size },
        ] as const) {
          const value = draw(of, random);
          if (!(value >= 0 && Number.isFinite(value))) return false;
        }
        return true;
      }),
    );
  });
});
