export interface Watch<T> {
  onItem?(item: T): void;
  /** Called before `onEnd`, with what the source failed with. Gives what the reader shall see. */
  onFailure?(thrown: unknown): unknown;
  /** Called once, when the source has ended, failed or is left. */
  onEnd(): void;
}

export interface Watched<T> {
  readonly source: AsyncIterable<T>;
  readonly watch: Watch<T>;
}

/**
 * A stream that somebody looks at. No async generator, which would cost every token three promises; and of one around another, the
 * outer reads what the inner one reads once that has begun, so that all of them cost one. What
 * it was begun with is held until then alone: a stream may last for minutes, beside thousands of others.
 */
export class WatchedStream<T> implements AsyncIterableIterator<T, undefined> {
  #begin: (() => Promise<Watched<T>> | Watched<T>) | undefined;
  /** From the inside out. */
  #watches: readonly Watch<T>[] = [];
  #source: AsyncIterator<T> | undefined;
  #hasEnded = false;

  /** `begin` runs with the first `next`. */
  constructor(begin: () => Promise<Watched<T>> | Watched<T>) {
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
    if (this.#hasEnded || !this.#begin) return { done: true, value: undefined };
    const beginning = this.#begin();
    this.#begin = undefined;
    const { source: watched, watch } = await beginning;
    if (this.#hasEnded) {
      watch.onEnd();
      return { done: true, value: undefined };
    }
    this.#watches = [watch];
    try {
      const source = watched[Symbol.asyncIterator]();
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
