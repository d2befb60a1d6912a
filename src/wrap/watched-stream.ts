export interface Watch<T> {
  readonly source: AsyncIterable<T>;
  onItem?(item: T): void;
  /** Called before `onEnd`, with what the source failed with. Gives what the reader shall see. */
  onFailure?(thrown: unknown): unknown;
  /** Called once, when the source has ended, failed or is left. */
  onEnd(): void;
}

/** A stream that somebody looks at. No async generator, which would cost every token three promises. */
export class WatchedStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #begin: () => Promise<Watch<T>> | Watch<T>;
  #watch: Watch<T> | undefined;
  #source: AsyncIterator<T> | undefined;
  #hasEnded = false;

  /** `begin` runs with the first `next`. */
  constructor(begin: () => Promise<Watch<T>> | Watch<T>) {
    this.#begin = begin;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#source ? this.#source.next().then(this.#onResult, this.#onFailure) : this.#first();
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
    await this.#source?.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #first(): Promise<IteratorResult<T, undefined>> {
    if (this.#hasEnded) return { done: true, value: undefined };
    const watch = await this.#begin();
    if (this.#hasEnded) {
      watch.onEnd();
      return { done: true, value: undefined };
    }
    this.#watch = watch;
    try {
      this.#source = watch.source[Symbol.asyncIterator]();
      return this.#onResult(await this.#source.next());
    } catch (thrown) {
      return this.#onFailure(thrown);
    }
  }

  readonly #onResult = (result: IteratorResult<T>): IteratorResult<T, undefined> => {
    if (!result.done) {
      this.#watch?.onItem?.(result.value);
      return result;
    }
    this.#end();
    return { done: true, value: undefined };
  };

  readonly #onFailure = (thrown: unknown): never => {
    const shown = this.#hasEnded ? thrown : (this.#watch?.onFailure?.(thrown) ?? thrown);
    this.#end();
    throw shown;
  };

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#watch?.onEnd();
  }
}
