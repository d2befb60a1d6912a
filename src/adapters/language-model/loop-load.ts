import { performance } from "node:perf_hooks";

/** It is looked at over so long. */
const WINDOW_MS = 100;
/** Busy from so much of the thread's time on, until it is less than the other. */
const BUSY = 0.5;
const SPARE = 0.25;

/** Whether this thread's event loop has little time to spare, so that what one answer does makes others wait. */
export class LoopLoad {
  #before = performance.eventLoopUtilization();
  #nextLook = performance.now() + WINDOW_MS;
  #isBusy = false;

  /** As it was over the last tenth of a second, or since it was last asked. */
  isBusy(): boolean {
    const now = performance.now();
    if (now < this.#nextLook) return this.#isBusy;
    this.#nextLook = now + WINDOW_MS;
    const used = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(used, this.#before);
    this.#before = used;
    this.#isBusy = utilization >= (this.#isBusy ? SPARE : BUSY);
    return this.#isBusy;
  }
}
