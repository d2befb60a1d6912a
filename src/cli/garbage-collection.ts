import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, setPriority } from "node:os";
import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";

/** Of the two halves together, and of a server that collects much of the time: what a small one collects is collected quickly. */
const BYTES_MAX = { usually: 8 * 1024 * 1024, busy: 32 * 1024 * 1024 };
/** Of the last second or more, spent collecting the young generation: from here on it is too small for its load. */
const BUSY_SHARE = 0.05;
const WINDOW_MS = 1000;
/** After a collection of everything: what streams leave soon fills the old generation again. And after a busy second: another is likely. */
const HOLDING_MS = 60_000;
/** V8's own. */
const GROWTH = 2;
/** How much more than what is in use there may be before everything is collected. 0: V8's own choice, a third after a few idle seconds. */
const GARBAGE_PERCENT = { usually: 0, holding: 100 };
/** At least, while holding: what a small server has in use is a few seconds' garbage. */
const GARBAGE_BYTES = 64 * 1024 * 1024;
/** Of V8's own threads: less than a tenth of the core, where the thread that answers wants it all. */
const ONE_CORE_PRIORITY = 10;
const THREADS = "/proc/self/task";

/**
 * Sets V8's garbage collection up for answers that are streamed: much is allocated a token, and what an answer holds lives for seconds,
 * which V8 takes for long. 64 streams of 200 tokens a second each had everything collected every two seconds, which held up answers by up
 * to 80 ms on one core: once everything was collected, as much garbage as is in use, and 64 MB at least, may be held before the next time.
 */
export function collectForServing(): void {
  followCollections();
  if (availableParallelism() === 1) giveWay();
}

/**
 * Keeps V8's young generation as small as it begins, until `collectForServing`. For the loading of an index, which leaves little
 * behind: its young generation would grow nonetheless, and stay so (100,000 passages: 35 MB less).
 */
export function holdYoungGeneration(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

/**
 * Ends the growth of V8's young generation at 8 MB, whose collection holds answers up for a millisecond, and at 32 MB (2 ms) for a minute after
 * that took a twentieth of the time: one that is filled faster than answers end keeps what is about to be garbage, which with 64 clients at once cost a
 * tenth of the CPU a request. It would double up to 128 MB under load, whatever is held, and stay there. Where V8 makes it small again, as it does in idle times, it may grow anew:
 * one that stays small is collected a hundred times a second. That a flag ends it, which counts at any time, is because the one that names
 * the size (`--max-semi-space-size`) counts only on Node's command line; whoever sets that has a smaller bound, or this one. Worker
 * threads that begin later stay at V8's first size.
 */
function followCollections(): void {
  const load = new CollectionLoad();
  const set = flagSetter();
  const follow = (entries: readonly Collection[]) => {
    load.add(entries);
    const bytesMax = load.isBusy ? BYTES_MAX.busy : BYTES_MAX.usually;
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    set("--semi-space-growth-factor", (young?.space_size ?? 0) < bytesMax ? GROWTH : 1);
    set("--heap-growing-percent", load.garbagePercent);
  };
  follow([]);
  new PerformanceObserver((list) => follow(list.getEntries() as (PerformanceEntry & Collection)[])).observe({
    entryTypes: ["gc"],
  });
}

/** Sets one of V8's flags where it has another value. */
function flagSetter(): (flag: string, value: number) => void {
  const values = new Map<string, number>();
  return (flag, value) => {
    if (values.get(flag) !== value) setFlagsFromString(`${flag}=${value}`);
    values.set(flag, value);
  };
}

type Collection = Pick<PerformanceEntry, "duration" | "startTime"> & { readonly detail: { readonly kind?: number } };

/** How much of the time goes to collecting garbage, and when everything was collected. */
export class CollectionLoad {
  #since = performance.now();
  #collectedMs = 0;
  #busyAt = Number.NEGATIVE_INFINITY;
  #everythingAt = Number.NEGATIVE_INFINITY;
  #inUseBytes = 0;

  /** @param inUseBytes is asked where everything was collected */
  add(entries: readonly Collection[], inUseBytes = () => getHeapStatistics().used_heap_size): void {
    const now = performance.now();
    for (const { detail, duration, startTime } of entries) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) this.#collectedMs += duration;
      if (detail.kind !== constants.NODE_PERFORMANCE_GC_MAJOR) continue;
      this.#everythingAt = startTime;
      this.#inUseBytes = inUseBytes();
    }
    if (now - this.#since < WINDOW_MS) return;
    if (this.#collectedMs >= BUSY_SHARE * (now - this.#since)) this.#busyAt = now;
    this.#since = now;
    this.#collectedMs = 0;
  }

  get isBusy(): boolean {
    return performance.now() - this.#busyAt < HOLDING_MS;
  }

  /** Of what is in use: how much more there may be before the next time. */
  get garbagePercent(): number {
    if (performance.now() - this.#everythingAt >= HOLDING_MS) return GARBAGE_PERCENT.usually;
    return Math.max(GARBAGE_PERCENT.holding, Math.round((100 * GARBAGE_BYTES) / this.#inUseBytes));
  }
}

/**
 * Lets V8's threads give way to the one that answers: they mark what is in use, and with four of them on one core the answers stood
 * still meanwhile. The young generation they leave to it: it would wait for them. Their names are known on Linux, from Node 24 on.
 */
function giveWay(): void {
  if (process.platform !== "linux") return;
  setFlagsFromString("--concurrent-marking-max-worker-num=1");
  setFlagsFromString("--no-parallel-scavenge");
  try {
    for (const thread of readdirSync(THREADS)) {
      const name = readFileSync(`${THREADS}/${thread}/comm`, "utf8").trim();
      if (name === "V8Worker") setPriority(Number(thread), ONE_CORE_PRIORITY);
    }
  } catch {
    // They keep the server's priority then.
  }
}
