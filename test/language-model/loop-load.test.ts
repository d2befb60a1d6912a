import { expect, test } from "vitest";
import { LoopLoad } from "../../src/adapters/language-model/loop-load.ts";
import { sleep } from "../support/calls.ts";

test("a loop is busy once half of its time is taken, and until a quarter is", async () => {
  const load = new LoopLoad();
  await sleep(300);
  expect(load.isBusy()).toBe(false);
  await take(300, 0.9);
  expect(load.isBusy()).toBe(true);
  await take(300, 0.35);
  expect(load.isBusy()).toBe(true);
  await sleep(300);
  expect(load.isBusy()).toBe(false);
  await take(300, 0.35);
  expect(load.isBusy()).toBe(false);
});

/** Takes this share of the thread's time, for so long. */
async function take(ms: number, share: number): Promise<void> {
  const begun = performance.now();
  while (performance.now() - begun < ms) {
    const until = performance.now() + 20 * share;
    while (performance.now() < until);
    await sleep(20 * (1 - share));
  }
}
