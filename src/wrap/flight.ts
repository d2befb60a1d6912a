import type { CallOptions } from "../types.ts";
import { CallWithin } from "./call-within.ts";

type Vectors = ReadonlyMap<string, Float32Array>;

class FlightCall extends CallWithin {
  latest = 0;

  override get deadline(): number {
    return this.latest;
  }
}

/** One call that several wait for: it ends early only when all of them have left. Its time is that of who may wait longest. */
export class Flight {
  readonly #controller = new AbortController();
  readonly #landed: Promise<Vectors>;
  readonly #flown: FlightCall;
  #callers = 0;

  /** `call` is whose call it counts as. */
  constructor(call: CallOptions, fly: (call: CallOptions) => Promise<Vectors>) {
    const flown = new FlightCall(call, this.#controller.signal);
    this.#flown = flown;
    // Its callers join before it starts.
    this.#landed = Promise.resolve().then(() => fly(flown));
    this.#landed.catch(() => undefined);
  }

  whenOver(then: () => void): void {
    this.#landed.then(then, then);
    this.#controller.signal.addEventListener("abort", then, { once: true });
  }

  join({ signal, deadline = Number.POSITIVE_INFINITY }: CallOptions): Promise<Vectors> {
    this.#callers++;
    this.#flown.latest = Math.max(this.#flown.latest, deadline);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#callers--;
        if (this.#callers === 0) this.#controller.abort(signal.reason);
        reject(signal.reason);
      };
      if (signal.aborted) return leave();
      signal.addEventListener("abort", leave, { once: true });
      this.#landed.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }
}
