import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

export const SYSTEM_CORE = 0;
export const LOAD_CORE = 1;

/** Whether processes can be kept on one core each: two cores and `taskset` are needed. */
export const canPin = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;

/** Kernel ticks are 10 ms on every common build of Linux. */
const TICK_MS = 10;

/** Time both cores together have not been idle since the machine started; NaN where the system does not say. */
export function busyMs(): number {
  return busyMsOf(SYSTEM_CORE) + busyMsOf(LOAD_CORE);
}

function busyMsOf(core: number): number {
  try {
    const line = readFileSync("/proc/stat", "utf8").match(new RegExp(`^cpu${core} (.*)$`, "m"))?.[1] ?? "";
    const [user, nice, system, , , irq, softirq] = line.split(" ").map(Number);
    return ((user ?? NaN) + (nice ?? NaN) + (system ?? NaN) + (irq ?? NaN) + (softirq ?? NaN)) * TICK_MS;
  } catch {
    return Number.NaN;
  }
}
