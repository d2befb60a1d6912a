import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Of the two halves together, and of a server that collects much of the time. */
const BYTES_MAX = { usually: 16 * 1024 * 1024, busy: 64 * 1024 * 1024 };
/** Of the last second or more, spent collecting the young generation: from here on it is too small for its load. */
const BUSY_SHARE = 0.05;
const WINDOW_MS = 1000;
/** So many collections of everything in so long: too much leaves the young generation that is garbage soon. */
const BUSY_MAJORS = { count: 6, withinMs: 20_000 };
/** V8's own. */
const GROWTH = 2;

/**
 * Keeps V8's young generation as small as it begins, until `boundYoungGeneration`. For the loading of an index, which leaves little
 * behind: its young generation would grow nonetheless, and stay so (100,000 passages: 35 MB less).
 */
export function holdYoungGeneration(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

/**
 * Ends the growth of V8's young generation at 16 MB, and at 64 MB once collecting it takes a twentieth of the time, or everything is
 * collected again and again (64 streams of 200 tokens a second each: every 2 s, every 11 s with 64 MB). It would double up
 * to 128 MB under load, whatever is held, and stay there. One that is filled faster than answers end keeps what is about to be garbage: with
 * 64 clients at once that cost a tenth of the CPU a request. Where V8 makes it small again, as it does in idle times, it may grow anew:
 * one that stays small is collected a hundred times a second. That a flag ends it, which counts at any time, is because the one that names
 * the size (`--max-semi-space-size`) counts only on Node's command line; whoever sets that has a smaller bound, or this one. Worker
 * threads that begin later stay at V8's first size.
 */
export function boundYoungGeneration(): void {
  const load = new CollectionLoad();
  let growth = 0;
  const follow = (entries: readonly Collection[]) => {
    const bytesMax = load.isBusy(entries) ? BYTES_MAX.busy : BYTES_MAX.usually;
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    const next = (young?.space_size ?? 0) < bytesMax ? GROWTH : 1;
    if (next !== growth) setFlagsFromString(`--semi-space-growth-factor=${next}`);
    growth = next;
  };
  follow([]);
  new PerformanceObserver((list) => follow(list.getEntries() as Collection[])).observe({ entryTypes: ["gc"] });
}

interface Collection extends PerformanceEntry {
  readonly detail: { readonly kind?: number };
}

/** How much of the time goes to collecting garbage. */
class CollectionLoad {
  #since = performance.now();
  #collectedMs = 0;
  #isBusy = false;
  /** When everything was collected, the last times. */
  #majors: number[] = [];

  isBusy(entries: readonly Collection[]): boolean {
    for (const { detail, duration, startTime } of entries) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) this.#collectedMs += duration;
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) this.#majors.push(startTime);
    }
    const now = performance.now();
    this.#majors = this.#majors.filter((at) => now - at < BUSY_MAJORS.withinMs);
    if (this.#majors.length >= BUSY_MAJORS.count) return true;
    if (now - this.#since >= WINDOW_MS) {
      this.#isBusy = this.#collectedMs >= BUSY_SHARE * (now - this.#since);
      this.#since = now;
      this.#collectedMs = 0;
    }
    return this.#isBusy;
  }
}
