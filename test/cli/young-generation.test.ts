import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Holds so much for a while that V8 lets its young generation grow, and tells how large it has become, in MB. */
const script = (before: string) => `
  import { getHeapSpaceStatistics } from "node:v8";
  import { setImmediate as turn } from "node:timers/promises";
  ${before}
  let held = [];
  for (let n = 0; n < 400; n++) {
    for (let i = 0; i < 10_000; i++) held.push({ i, list: [i, String(i)] });
    if (held.length > 100_000) held = [];
    await turn();
  }
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  console.log(young.space_size / 1_048_576);
`;
const sizeMb = (before: string) =>
  Number(execFileSync(process.execPath, ["--input-type=module", "--eval", script(before)], { encoding: "utf8" }));

test("the young generation stops growing at its bound", () => {
  const file = fileURLToPath(new URL("../../src/cli/young-generation.ts", import.meta.url));
  const bounded = sizeMb(`import { boundYoungGeneration } from ${JSON.stringify(file)}; boundYoungGeneration();`);
  expect(bounded).toBeGreaterThanOrEqual(16);
  expect(bounded).toBeLessThanOrEqual(64);
  expect(sizeMb("")).toBeGreaterThan(bounded);
});
