import { expect, test } from "vitest";
import { surviveKills } from "../support/durability/kills.ts";
import { folderForTest } from "../support/folder.ts";

test("kill -9 in the middle of indexing, replacing and deleting: 10 of the 200 of `npm run test:crash`", {
  timeout: 90_000,
}, async () => {
  const report = await surviveKills(folderForTest().file("crash.db"), 10, 80_000);
  expect(report.kills).toBe(10);
  expect(report.acknowledged).toBeGreaterThan(5);
  expect(report.readerSearches).toBeGreaterThan(5);
});
