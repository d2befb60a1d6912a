import type { RaglineError } from "./errors.ts";
import type { Race } from "./race.ts";
import type { CallOptions } from "./types.ts";

/** A step's stream once somebody reads it. */
export interface StreamBegun {
  readonly race: Race;
  /** What `call` begins belongs to the step. */
  within<R>(call: () => R): R;
  /** Called once, at the end. Returns the error to show the reader; nothing was thrown if the stream ended or its reader left. */
  onOver(thrown: unknown): RaglineError | undefined;
}

/**
 * A stream against the clock and the caller. No async generator: it runs once a token. `open`, and what that holds, is let go once the
 * stream is open.
 */
export class RacedStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #silenceMs: number;
  readonly #begin: () => StreamBegun;
  #open: ((call: CallOptions) => AsyncIterable<T>) | undefined;
  #begun: StreamBegun | undefined;
  #source: AsyncIterator<T> | undefined;
  #isOver = false;

  /** `begin` runs with the first `next`. */
  constructor(silenceMs: number, open: (call: CallOptions) => AsyncIterable<T>, begin: () => StreamBegun) {
    this.#silenceMs = silenceMs;
    this.#open = open;
    this.#begin = begin;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (!this.#source || !this.#begun) return this.#first();
    const { race } = this.#begun;
    race.restart(this.#silenceMs);
    return race.against(this.#source.next()).then(this.#onResult, this.#onFailure);
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#leave(undefined);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #first(): Promise<IteratorResult<T, undefined>> {
    const open = this.#open;
    this.#open = undefined;
    if (this.#isOver || !open) return { done: true, value: undefined };
    const begun = this.#begin();
    this.#begun = begun;
    const { race } = begun;
    try {
      const first = begun.within(() => {
        this.#source = open(race)[Symbol.asyncIterator]();
        return this.#source.next();
      });
      return this.#onResult(await race.against(first));
    } catch (thrown) {
      return this.#onFailure(thrown);
    }
  }

  readonly #onResult = (result: IteratorResult<T>): IteratorResult<T, undefined> => {
    if (result.done) {
      this.#begun?.race.end();
      this.#over(undefined);
      return { done: true, value: undefined };
    }
    this.#begun?.race.pause();
    return result;
  };

  readonly #onFailure = (thrown: unknown): never => {
    throw this.#leave(thrown) ?? thrown;
  };

  /** The source is told that nobody reads it. Not awaited: one that hangs would hang its reader. */
  #leave(thrown: unknown): RaglineError | undefined {
    if (this.#isOver) return undefined;
    this.#begun?.race.cancel();
    this.#source?.return?.().catch(() => undefined);
    return this.#over(thrown);
  }

  #over(thrown: unknown): RaglineError | undefined {
    this.#isOver = true;
    const begun = this.#begun;
    this.#begun = undefined;
    this.#source = undefined;
    return begun?.onOver(thrown);
  }
}
