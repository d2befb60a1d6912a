import { readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { median, percentile, round } from "../stats.ts";

export interface Measured {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  /** CPU of this process a search, all its threads: median of rounds. */
  readonly ownCpuMs: number;
  /** The same of the engine's processes; null where it has none of its own, or the system does not tell. */
  readonly engineCpuMs: number | null;
}

const ROUNDS = 7;
/** Searches of one kind before it is measured: by then V8 has compiled most of what they run, as in a server that has been up for minutes. */
export const WARM_UP_SEARCHES = 5000;
/** At least so long: a new JVM is compiling until then, on the same cores. */
const WARM_UP_MS = 30_000;
const WARM_UP_CALLERS = 16;
/** Then the row's own callers. */
const OWN_WARM_UP_SEARCHES = 1000;
/** A round is as many searches as take about so long. */
const ROUND_MS = 700;

export async function warmUp(search: (n: number) => Promise<unknown>, searches: number): Promise<void> {
  const until = performance.now() + WARM_UP_MS;
  let n = 0;
  const caller = async () => {
    while (n < searches || performance.now() < until) await search(n++);
  };
  await Promise.all(Array.from({ length: WARM_UP_CALLERS }, caller));
}

/** Callers that each wait for one result before they ask for the next. */
export async function measure(
  search: (n: number) => Promise<unknown>,
  callers: number,
  enginePid: number | null,
): Promise<Measured> {
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
  const round_ = async (searches: number) => {
    const until = n + searches;
    const startedAt = performance.now();
    const engineBefore = engineCpuMs(enginePid);
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: callers }, () => caller(until)));
    const { user, system } = process.cpuUsage(before);
    const engine = engineCpuMs(enginePid);
    const tookMs = performance.now() - startedAt;
    return {
      tookMs,
      own: (user + system) / 1000 / searches,
      engine: engine === null || engineBefore === null ? null : (engine - engineBefore) / searches,
      perSecond: (1000 * searches) / tookMs,
    };
  };
  const warm = await round_(OWN_WARM_UP_SEARCHES);
  const searches = Math.max(3 * callers, Math.ceil((ROUND_MS * warm.perSecond) / 1000));
  times.length = 0;
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round_(searches));
  const engines = rounds.flatMap(({ engine }) => (engine === null ? [] : [engine]));
  return {
    p50Ms: round(percentile(times, 0.5)),
    p99Ms: round(percentile(times, 0.99)),
    perSecond: round(median(rounds.map(({ perSecond }) => perSecond)), 0),
    ownCpuMs: round(median(rounds.map(({ own }) => own)), 3),
    engineCpuMs: engines.length === 0 ? null : round(median(engines)),
  };
}

/** Of the process and its children so far, in milliseconds; the system counts in ticks of 10. */
function engineCpuMs(pid: number | null): number | null {
  if (pid === null || process.platform !== "linux") return null;
  const children = childrenOf(pid);
  return [pid, ...children].reduce((sum, one) => sum + ticksOf(one), 0) * 10;
}

/** Read, not asked of a program: after a fork this process would pay for every page of its own that it writes to. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function ticksOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}
