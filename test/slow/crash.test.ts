import { expect, test } from "vitest";
import { surviveKills } from "../support/durability/kills.ts";
import { folderForTest } from "../support/folder.ts";

const KILLS = 200;

test(`kill -9, ${KILLS} times at random moments, with a reader running`, async () => {
  const report = await surviveKills(folderForTest().file("crash.db"), KILLS, 270_000);
  console.log(JSON.stringify(report));
  expect(report.kills).toBe(KILLS);
  expect(report.acknowledged).toBeGreaterThan(KILLS);
  expect(report.readerSearches).toBeGreaterThan(KILLS);
});
