import { execFile } from "node:child_process";
import { constants } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { CollectionLoad } from "../../src/cli/garbage-collection.ts";

/** Holds much for a while, as V8 lets its young generation grow for, and tells how large it has become, in MB, at most. */
const script = (before: string, { restMs, loadMs, enoughMb }: Load) => `
  import { getHeapSpaceStatistics } from "node:v8";
  import { setTimeout as rest } from "node:timers/promises";
  ${before}
  const sizeMb = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size / 1_048_576;
  async function load() {
    let [held, mostMb] = [[], 0];
    for (const end = performance.now() + ${loadMs}; performance.now() < end && mostMb <= ${enoughMb}; ) {
      for (let i = 0; i < 10_000; i++) held.push({ i, list: [i, String(i)] });
      if (held.length > 300_000) held = [];
      mostMb = Math.max(mostMb, sizeMb());
      await rest(${restMs});
    }
    return mostMb;
  }
  const loaded = await load();
  gc({ type: "major", flavor: "last-resort" });
  const idle = sizeMb();
  console.log(JSON.stringify({ loaded, idle, loadedAgain: await load() }));
`;
const file = fileURLToPath(new URL("../../src/cli/garbage-collection.ts", import.meta.url));
const BOUNDED = `import { collectForServing } from ${JSON.stringify(file)}; collectForServing();`;

interface Load {
  readonly restMs: number;
  readonly loadMs: number;
  /** Ends the load before its time. */
  readonly enoughMb: number;
}

async function sizesMb(before: string, load: Load) {
  const values = ["--expose-gc", "--input-type=module", "--eval", script(before, load)];
  const { stdout } = await promisify(execFile)(process.execPath, values);
  return JSON.parse(stdout) as { loaded: number; idle: number; loadedAgain: number };
}

// Where other programs hold the machine's cores, collections take more of the time, and loads get less far. What seldom collects rests most of
// the time, and so runs beside what is busy.
const options = { retry: 2, timeout: 60_000 };

test.concurrent(
  "the young generation of a busy process stops growing at 32 MB, and grows again after it was made small",
  options,
  async () => {
    const bounded = await sizesMb(BOUNDED, { restMs: 0, loadMs: 7000, enoughMb: 32 });
    const unbounded = await sizesMb("", { restMs: 0, loadMs: 20_000, enoughMb: 32 });
    expect(bounded.loaded).toBeGreaterThanOrEqual(16);
    expect(bounded.loaded).toBeLessThanOrEqual(32);
    expect(bounded.idle).toBeLessThan(bounded.loaded);
    expect(bounded.loadedAgain).toBeGreaterThanOrEqual(16);
    expect(bounded.loadedAgain).toBeLessThanOrEqual(32);
    expect(unbounded.loaded).toBeGreaterThan(32);
  },
);

test.concurrent("of one that seldom collects it stops at 8 MB", options, async () => {
  const load = { restMs: 400, loadMs: 7000, enoughMb: 8 };
  const [bounded, unbounded] = await Promise.all([sizesMb(BOUNDED, load), sizesMb("", load)]);
  expect(bounded.loaded).toBeLessThanOrEqual(8);
  expect(bounded.loadedAgain).toBeLessThanOrEqual(8);
  expect(unbounded.loaded).toBeGreaterThan(8);
});

test("for a minute after everything was collected as much garbage may be held as is in use, and 64 MB at least", () => {
  const collection = (kind: number, startTime: number) => ({ startTime, duration: 20, detail: { kind } });
  const [major, minor] = [constants.NODE_PERFORMANCE_GC_MAJOR, constants.NODE_PERFORMANCE_GC_MINOR];
  const MB = 1024 * 1024;
  const load = new CollectionLoad();
  const now = performance.now();
  load.add([collection(major, now - 61_000)], () => 32 * MB);
  load.add([collection(minor, now)], () => 40 * MB);
  expect(load.garbagePercent).toBe(0);
  load.add([collection(major, now - 30_000)], () => 32 * MB);
  load.add([collection(minor, now)], () => 80 * MB);
  expect(load.garbagePercent).toBe(200);
  load.add([collection(major, now)], () => 256 * MB);
  expect(load.garbagePercent).toBe(100);
  expect(load.isBusy).toBe(false);
});

test("a process is busy for a minute after collections took a twentieth of a second", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const load = new CollectionLoad();
  const collectedAfter = (seconds: number, duration: number) => {
    vi.advanceTimersByTime(seconds * 1000);
    load.add([{ startTime: 0, duration, detail: { kind: constants.NODE_PERFORMANCE_GC_MINOR } }]);
    return load.isBusy;
  };
  expect(collectedAfter(2, 90)).toBe(false);
  expect(collectedAfter(2, 110)).toBe(true);
  expect(collectedAfter(55, 1)).toBe(true);
  expect(collectedAfter(6, 1)).toBe(false);
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
