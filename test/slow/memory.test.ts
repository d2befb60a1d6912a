import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { folderForTest } from "../support/folder.ts";

const PASSAGES = 40_000;
/** What a process keeps that has done something: its heap's room, and what the allocator holds back. */
const NEAR_MB = 150;
const WAIT_MS = 60_000;

test("deleting every document gives the memory back", () => {
  const script = fileURLToPath(new URL("../support/durability/memory-child.ts", import.meta.url));
  const file = folderForTest().file("memory.db");
  const parameters = [file, PASSAGES, NEAR_MB, WAIT_MS].map(String);
  const printed = execFileSync(process.execPath, ["--no-warnings", script, ...parameters], { encoding: "utf8" });
  console.log(printed.trim());
  const { emptyMb, fullMb, deletedMb } = JSON.parse(printed) as Record<"emptyMb" | "fullMb" | "deletedMb", number>;
  expect(fullMb - emptyMb).toBeGreaterThan(NEAR_MB);
  expect(deletedMb - emptyMb).toBeLessThanOrEqual(NEAR_MB);
});
