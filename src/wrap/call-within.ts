import type { CallOptions, ModelCall, Served } from "../types.ts";

/**
 * The options of a call within another: what they say is the outer call's, and what they are told reaches it. They have every
 * option, so that none is lost on the way.
 */
export class CallWithin implements Required<CallOptions> {
  readonly #outer: CallOptions;
  readonly #signal: AbortSignal | undefined;

  /** `signal`: where the inner call may end before the outer one. */
  constructor(outer: CallOptions, signal?: AbortSignal) {
    this.#outer = outer;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal ?? this.#outer.signal;
  }

  get deadline(): number | undefined {
    return this.#outer.deadline;
  }

  get asOf(): number | undefined {
    return this.#outer.asOf;
  }

  onModelCall(call: ModelCall): void {
    this.#outer.onModelCall?.(call);
  }

  onTokens(tokens: number): void {
    this.#outer.onTokens?.(tokens);
  }

  onServed(served: Served): void {
    this.#outer.onServed?.(served);
  }
}
