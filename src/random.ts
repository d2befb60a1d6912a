/** How long something takes, in milliseconds, or how many of something there are. A number: always that. */
export type Distribution =
  | number
  | { readonly distribution: "uniform"; readonly min: number; readonly max: number }
  | { readonly distribution: "exponential"; readonly mean: number }
  /** exp of a normal distribution: `median` is exp(μ), `sigma` is σ. Its p95 is median · exp(1.645 σ). */
  | { readonly distribution: "lognormal"; readonly median: number; readonly sigma: number };

/** Uniform in [0, 1). */
export type Random = () => number;

/** Mulberry32 (T. Ettinger, public domain): 32 bits of state, enough for emulated times; not for secrets. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One value; by inversion, the normal one by Box and Muller. */
export function draw(of: Distribution, random: Random): number {
  if (typeof of === "number") return of;
  switch (of.distribution) {
    case "uniform":
      return of.min + (of.max - of.min) * random();
    case "exponential":
      return -of.mean * Math.log(1 - random());
    case "lognormal":
      return of.median * Math.exp(of.sigma * normal(random));
  }
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
