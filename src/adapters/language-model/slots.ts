import { RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";

export interface Slots {
  /**
   * Waits for a slot, first come, first served, and tells the call how long; the function returned frees it.
   * @throws RaglineError `overloaded` where too many wait already.
   */
  take(call: Pick<CallOptions, "signal" | "onServed">): Promise<() => void>;
  readonly waiting: number;
}

/** At most `count` at once and at most `waitingMax` who wait. */
export function createSlots(count: number, waitingMax: number): Slots {
  const waiting = new Set<() => void>();
  let free = count;

  function release(): void {
    const [next] = waiting;
    if (next) next();
    else free++;
  }

  function held(): () => void {
    let isHeld = true;
    return () => {
      if (isHeld) release();
      isHeld = false;
    };
  }

  return {
    get waiting() {
      return waiting.size;
    },
    async take(call) {
      const { signal } = call;
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return held();
      }
      if (waiting.size >= waitingMax) {
        const message = `${count} answers are being written and ${waitingMax} wait, which is generate.waitingMax; try again later.`;
        throw new RaglineError("overloaded", message);
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const leave = () => {
        waiting.delete(resolve);
        reject(signal.reason);
      };
      const since = performance.now();
      waiting.add(resolve);
      signal.addEventListener("abort", leave, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", leave);
        waiting.delete(resolve);
        call.onServed?.({ queueMs: performance.now() - since, serviceMs: 0 });
      }
      return held();
    },
  };
}
