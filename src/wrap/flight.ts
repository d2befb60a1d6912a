import type { CallOptions } from "../types.ts";

type Vectors = ReadonlyMap<string, Float32Array>;

/** One call that several wait for: it ends early only when all of them have left. Its time is that of who may wait longest. */
export class Flight {
  readonly #controller = new AbortController();
  readonly #landed: Promise<Vectors>;
  #callers = 0;
  #deadline = 0;

  /** `call` is whose call it counts as. */
  constructor(call: CallOptions, fly: (call: CallOptions) => Promise<Vectors>) {
    const deadline = () => this.#deadline;
    const options: CallOptions = {
      signal: this.#controller.signal,
      get deadline() {
        return deadline();
      },
      ...(call.onModelCall && { onModelCall: (made) => call.onModelCall?.(made) }),
      ...(call.onServed && { onServed: (served) => call.onServed?.(served) }),
    };
    // Its callers join before it starts.
    this.#landed = Promise.resolve().then(() => fly(options));
    this.#landed.catch(() => undefined);
  }

  whenOver(then: () => void): void {
    this.#landed.then(then, then);
    this.#controller.signal.addEventListener("abort", then, { once: true });
  }

  join({ signal, deadline = Number.POSITIVE_INFINITY }: CallOptions): Promise<Vectors> {
    this.#callers++;
    this.#deadline = Math.max(this.#deadline, deadline);
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
