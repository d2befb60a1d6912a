export interface Watch<T> {
  readonly source: AsyncIterable<T>;
  onItem?(item: T): void;
  /** Called before `onEnd`, with what the source failed with. Gives what the reader shall see. */
  onFailure?(thrown: unknown): unknown;
  /** Called once, when the source has ended, failed or is left. */
  onEnd(): void;
}

/**
 * A stream that somebody looks at. No async generator, which would cost every token three promises; and of one around another, the
 * outer reads what the inner one reads once that has begun, so that all of them cost one.
 */
export class WatchedStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #begin: () => Promise<Watch<T>> | Watch<T>;
  /** From the inside out. */
  #watches: readonly Watch<T>[] = [];
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
    this.#watches = [watch];
    try {
      const source = watch.source[Symbol.asyncIterator]();
      this.#source = source;
      const first = this.#onResult(await source.next());
      if (source instanceof WatchedStream) this.#takeOver(source);
      return first;
    } catch (thrown) {
      return this.#onFailure(thrown);
    }
  }

  readonly #onResult = (result: IteratorResult<T>): IteratorResult<T, undefined> => {
    if (!result.done) {
      for (const watch of this.#watches) watch.onItem?.(result.value);
      return result;
    }
    this.#end();
    return { done: true, value: undefined };
  };

  readonly #onFailure = (thrown: unknown): never => {
    if (this.#hasEnded) throw thrown;
    this.#hasEnded = true;
    let shown = thrown;
    for (const watch of this.#watches) {
      shown = watch.onFailure?.(shown) ?? shown;
      watch.onEnd();
    }
    throw shown;
  };

  #takeOver(inner: WatchedStream<T>): void {
    if (this.#hasEnded || inner.#hasEnded) return;
    this.#source = inner.#source;
    this.#watches = [...inner.#watches, ...this.#watches];
    inner.#watches = [];
    inner.#hasEnded = true;
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const watch of this.#watches) watch.onEnd();
  }
}
