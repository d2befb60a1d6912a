import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Holds so much for a while that V8 lets its young generation grow, and tells how large it has become, in MB. */
const script = (before: string) => `
  import { getHeapSpaceStatistics } from "node:v8";
  import { setImmediate as turn } from "node:timers/promises";
  ${before}
  const sizeMb = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size / 1_048_576;
  async function load() {
    let held = [];
    for (let n = 0; n < 400; n++) {
      for (let i = 0; i < 10_000; i++) held.push({ i, list: [i, String(i)] });
      if (held.length > 100_000) held = [];
      await turn();
    }
    return sizeMb();
  }
  const loaded = await load();
  gc({ type: "major", flavor: "last-resort" });
  const idle = sizeMb();
  console.log(JSON.stringify({ loaded, idle, loadedAgain: await load() }));
`;
const sizesMb = (before: string): { loaded: number; idle: number; loadedAgain: number } => {
  const values = ["--expose-gc", "--input-type=module", "--eval", script(before)];
  return JSON.parse(execFileSync(process.execPath, values, { encoding: "utf8" }));
};
const file = fileURLToPath(new URL("../../src/cli/young-generation.ts", import.meta.url));

test("the young generation stops growing at its bound, and grows again after it was made small", () => {
  const bounded = sizesMb(`import { boundYoungGeneration } from ${JSON.stringify(file)}; boundYoungGeneration();`);
  expect(bounded.loaded).toBeGreaterThanOrEqual(16);
  expect(bounded.loaded).toBeLessThanOrEqual(64);
  expect(bounded.idle).toBeLessThan(bounded.loaded);
  expect(bounded.loadedAgain).toBeGreaterThanOrEqual(16);
  expect(bounded.loadedAgain).toBeLessThanOrEqual(64);
  expect(sizesMb("").loaded).toBeGreaterThan(bounded.loaded);
});
