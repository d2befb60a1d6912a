import { RaglineError } from "../../errors.ts";

export interface Slots {
  /**
   * Waits for a slot, first come, first served; the function returned frees it.
   * @throws RaglineError `overloaded` where too many wait already.
   */
  take(signal: AbortSignal): Promise<() => void>;
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
    async take(signal) {
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
      waiting.add(resolve);
      signal.addEventListener("abort", leave, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", leave);
        waiting.delete(resolve);
      }
      return held();
    },
  };
}
