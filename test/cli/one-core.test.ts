import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const file = fileURLToPath(new URL("../../src/cli/one-core.ts", import.meta.url));
/** Tells the priorities of V8's threads and of the main one; they begin with the process. */
const SCRIPT = `
  import { readdirSync, readFileSync } from "node:fs";
  import { getPriority } from "node:os";
  import { giveWayOnOneCore } from ${JSON.stringify(file)};
  giveWayOnOneCore();
  const threads = readdirSync("/proc/self/task").map(Number);
  const marking = threads.filter((id) => readFileSync("/proc/self/task/" + id + "/comm", "utf8").trim() === "V8Worker");
  console.log(JSON.stringify({ main: getPriority(process.pid), marking: marking.map((id) => getPriority(id)) }));
`;

async function priorities(cores: string): Promise<{ readonly main: number; readonly marking: readonly number[] }> {
  const values = ["-c", cores, process.execPath, "--input-type=module", "--eval", SCRIPT];
  const { stdout } = await promisify(execFile)("taskset", values);
  return JSON.parse(stdout);
}

// Node names its threads from version 24 on.
const canRun = process.platform === "linux" && Number.parseInt(process.versions.node, 10) >= 24;
test.skipIf(!canRun)(
  "on one core V8's threads give way to the one that answers, and on two they need not",
  async () => {
    const before = await priorities("0,1");
    expect(before.marking.length).toBeGreaterThan(0);
    expect(before.marking).toEqual(before.marking.map(() => before.main));
    const { main, marking } = await priorities("0");
    expect(main).toBe(before.main);
    expect(marking).toEqual(before.marking.map(() => 10));
  },
);
