import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { median, percentile, round } from "../stats.ts";

export interface Measured {
  /** CPU of the whole process a query, all threads: median of rounds. */
  readonly cpuMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const ROUNDS = 7;

/** Callers that each wait for one result before they ask for the next. `queries` a round. */
export async function measure(search: (n: number) => unknown, queries: number, callers: number): Promise<Measured> {
  const cpu: number[] = [];
  const times: number[] = [];
  let n = 0;
  const caller = async (until: number) => {
    while (n < until) {
      const startedAt = performance.now();
      await search(n++);
      times.push(performance.now() - startedAt);
      // A question comes with an event of its own, as from a socket.
      await nextTurn();
    }
  };
  const run = async () => {
    const until = n + queries;
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: callers }, () => caller(until)));
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000 / queries);
  };
  await run();
  cpu.length = 0;
  times.length = 0;
  for (let i = 0; i < ROUNDS; i++) await run();
  return {
    cpuMs: round(median(cpu), 3),
    p50Ms: round(percentile(times, 0.5), 3),
    p99Ms: round(percentile(times, 0.99), 3),
  };
}

/** p99 of the event loop's delay while `work` goes on, beyond the timer's own millisecond. */
export async function loopDelayMs(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  return round(Math.max(0, delay.percentile(99) / 1e6 - 1), 2);
}
