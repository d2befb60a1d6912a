import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

export const SYSTEM_CORE = 0;
export const LOAD_CORE = 1;

/** Whether processes can be kept on one core each: two cores and `taskset` are needed. */
export const canPin = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;

/** How long this process's main thread was ready to run and another one had its core, since its start; 0 where unknown. */
export function waitedMs(): number {
  try {
    const [, waitedNs] = readFileSync("/proc/self/schedstat", "utf8").split(" ");
    return Number(waitedNs) / 1e6;
  } catch {
    return 0;
  }
}

/** See proc_stat(5): time in which the host of this virtual machine ran others, in ticks. */
const STOLEN = 8;
const TICK_MS = 10;

/** Of one core, the two taken together, since the machine's start; 0 where unknown. */
export function stolenMs(): number {
  try {
    const lines = readFileSync("/proc/stat", "utf8").split("\n");
    const ticks = [SYSTEM_CORE, LOAD_CORE].map((core) => {
      const times = lines.find((line) => line.startsWith(`cpu${core} `));
      return Number(times?.split(" ")[STOLEN] ?? 0);
    });
    return (ticks.reduce((sum, one) => sum + one, 0) / ticks.length) * TICK_MS;
  } catch {
    return 0;
  }
}
