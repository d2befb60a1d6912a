import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Of the two halves together. */
const BYTES_MAX = 32 * 1024 * 1024;
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
 * Ends the growth of V8's young generation at 32 MB. It would double up to 128 MB under load, whatever is held, and stay there; and
 * each collection of it stops every answer for so much longer. Half of this would cost a tenth more CPU a request. Where V8 makes it
 * small again, as it does in idle times, it may grow anew: one that stays small is collected a hundred times a second. That a flag ends
 * it, which counts at any time, is because the one that names the size (`--max-semi-space-size`) counts only on Node's command line;
 * whoever sets that has a smaller bound, or this one. Worker threads that begin later stay at V8's first size.
 */
export function boundYoungGeneration(): void {
  let growth = 0;
  const follow = () => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    const next = (young?.space_size ?? 0) < BYTES_MAX ? GROWTH : 1;
    if (next !== growth) setFlagsFromString(`--semi-space-growth-factor=${next}`);
    growth = next;
  };
  follow();
  new PerformanceObserver(follow).observe({ entryTypes: ["gc"] });
}
