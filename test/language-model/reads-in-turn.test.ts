import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { readInTurn } from "../../src/adapters/http/reads-in-turn.ts";

test("reads that are due at once are done a few in a turn, in their order, and others have their turn in between", async () => {
  const done: number[] = [];
  for (let i = 0; i < 20; i++) readInTurn(() => done.push(i));
  const after: number[] = [];
  while (done.length < 20) {
    await nextTurn();
    after.push(done.length);
  }
  expect(done).toEqual(Array.from({ length: 20 }, (_, i) => i));
  for (const [i, length] of after.entries()) expect(length - (after[i - 1] ?? 0)).toBeLessThanOrEqual(2);
});
