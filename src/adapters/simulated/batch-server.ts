import { Permits } from "../../permits.ts";
import { type Distribution, draw, seeded } from "../../random.ts";
import type { CallOptions } from "../../types.ts";
import { reach } from "./clock.ts";
import { SharedCapacity } from "./shared-capacity.ts";

/** An emulated server that answers batches whole. */
export interface BatchServerOptions {
  /** Of a call, whatever its size. */
  readonly serviceMs: Distribution;
  /** For each text of a call, in addition. */
  readonly itemMs: Distribution;
  /** Calls that run at full speed at once. */
  readonly slots: number;
  /** Calls beyond that: wait in line, or share the slots' time equally. */
  readonly whenFull: "queue" | "share";
  /** Calls in line at most; a further one is refused as `overloaded`. Of `share` there is no line. */
  readonly queueMax: number;
  /** Given a look at how many wait. */
  readonly watchQueue?: (waiting: () => number) => void;
  readonly seed: number;
}

/** Takes as long as a call of so many texts takes. */
export type Serve = (texts: number, call: CallOptions) => Promise<void>;

export function batchServer(options: BatchServerOptions): Serve {
  const random = seeded(options.seed);
  const workMs = (texts: number) => draw(options.serviceMs, random) + texts * draw(options.itemMs, random);
  if (options.whenFull === "share") {
    const capacity = new SharedCapacity(options.slots);
    return async (texts, call) => {
      const startedAt = performance.now();
      await capacity.run(workMs(texts), call.signal);
      call.onServed?.({ queueMs: 0, serviceMs: performance.now() - startedAt });
    };
  }
  const { slots: concurrencyMax, queueMax, watchQueue } = options;
  const slots = new Permits({ concurrencyMax, queueMax, setting: "queueMax", watchQueue });
  return async (texts, call) => {
    const ms = workMs(texts);
    const { startedAt, free } = await slots.take(call);
    try {
      await reach(startedAt + ms, call.signal);
    } finally {
      free(Math.min(startedAt + ms, performance.now()));
    }
    call.onServed?.({ queueMs: 0, serviceMs: ms });
  };
}
