import { execFile } from "node:child_process";
import { constants } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { CollectionLoad } from "../../src/cli/garbage-collection.ts";

/** Holds much for a while, as V8 lets its young generation grow for, and tells how large it has become, in MB. */
const script = (before: string, restMs: number, loadMs: number) => `
  import { getHeapSpaceStatistics } from "node:v8";
  import { setTimeout as rest } from "node:timers/promises";
  ${before}
  const sizeMb = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size / 1_048_576;
  async function load() {
    let held = [];
    for (const end = performance.now() + ${loadMs}; performance.now() < end; ) {
      for (let i = 0; i < 10_000; i++) held.push({ i, list: [i, String(i)] });
      if (held.length > 300_000) held = [];
      await rest(${restMs});
    }
    return sizeMb();
  }
  const loaded = await load();
  gc({ type: "major", flavor: "last-resort" });
  const idle = sizeMb();
  console.log(JSON.stringify({ loaded, idle, loadedAgain: await load() }));
`;
const file = fileURLToPath(new URL("../../src/cli/garbage-collection.ts", import.meta.url));
const BOUNDED = `import { collectForServing } from ${JSON.stringify(file)}; collectForServing();`;

async function sizesMb(before: string, restMs: number, loadMs = 2500) {
  const values = ["--expose-gc", "--input-type=module", "--eval", script(before, restMs, loadMs)];
  const { stdout } = await promisify(execFile)(process.execPath, values);
  return JSON.parse(stdout) as { loaded: number; idle: number; loadedAgain: number };
}

test("the young generation of a busy process stops growing at 64 MB, and grows again after it was made small", async () => {
  const [bounded, unbounded] = await Promise.all([sizesMb(BOUNDED, 0, 5000), sizesMb("", 0)]);
  expect(bounded.loaded).toBeGreaterThanOrEqual(32);
  expect(bounded.loaded).toBeLessThanOrEqual(64);
  expect(bounded.idle).toBeLessThan(bounded.loaded);
  expect(bounded.loadedAgain).toBeGreaterThanOrEqual(32);
  expect(bounded.loadedAgain).toBeLessThanOrEqual(64);
  expect(unbounded.loaded).toBeGreaterThan(64);
});

test("of one that seldom collects it stops at 8 MB", async () => {
  const { loaded, loadedAgain } = await sizesMb(BOUNDED, 150);
  expect(loaded).toBeLessThanOrEqual(8);
  expect(loadedAgain).toBeLessThanOrEqual(8);
});

test("more garbage may be held for a minute after everything was collected, however little time that took", () => {
  const collection = (kind: number, startTime: number) => ({ startTime, duration: 20, detail: { kind } });
  const load = new CollectionLoad();
  const now = performance.now();
  load.add([collection(constants.NODE_PERFORMANCE_GC_MAJOR, now - 61_000)]);
  load.add([collection(constants.NODE_PERFORMANCE_GC_MINOR, now)]);
  expect(load.isHolding).toBe(false);
  load.add([collection(constants.NODE_PERFORMANCE_GC_MAJOR, now - 30_000)]);
  expect(load.isHolding).toBe(true);
  expect(load.isBusy).toBe(false);
});

/** Tells the priorities of V8's threads and of the main one; they begin with the process. */
const SCRIPT = `
  import { readdirSync, readFileSync } from "node:fs";
  import { getPriority } from "node:os";
  import { collectForServing } from ${JSON.stringify(file)};
  collectForServing();
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
