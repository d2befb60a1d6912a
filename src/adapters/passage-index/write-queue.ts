import { setTimeout as sleep, setImmediate as yieldToOthers } from "node:timers/promises";
import { RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";

/** What is written together, at most: one request is some megabytes. */
const BATCH_PASSAGES_MAX = 256;
export const BATCH_DOCUMENTS_MAX = 256;
/** Where the caller sets no limit: behind others that are written, too. */
const WRITE_LIMIT_MS = 300_000;

/** A write of one document. */
export interface QueuedWrite<T> {
  readonly key: string;
  readonly what: T;
  /** When it came, by `performance.now()`. */
  readonly since: number;
  readonly done: PromiseWithResolvers<boolean>;
  isLeft: boolean;
}

/** Writes of one collection: one batch at a time, of those that came meanwhile. Each is settled by who writes the batch. */
export class WriteQueue<T> {
  readonly #waiting: QueuedWrite<T>[] = [];
  readonly #write: (batch: readonly QueuedWrite<T>[]) => Promise<void>;
  readonly #passagesOf: (what: T) => number;
  readonly #tooLate: () => RaglineError;
  #running: Promise<void> | null = null;

  constructor(
    write: (batch: readonly QueuedWrite<T>[]) => Promise<void>,
    passagesOf: (what: T) => number,
    tooLate: () => RaglineError,
  ) {
    this.#write = write;
    this.#passagesOf = passagesOf;
    this.#tooLate = tooLate;
  }

  add(key: string, what: T, { signal, deadline = Number.POSITIVE_INFINITY }: CallOptions): Promise<boolean> {
    if (performance.now() >= deadline) return Promise.reject(this.#tooLate());
    const done = Promise.withResolvers<boolean>();
    const write: QueuedWrite<T> = { key, what, since: performance.now(), done, isLeft: false };
    const leave = (why: RaglineError) => {
      write.isLeft = true;
      done.reject(why);
    };
    const onAbort = () => {
      const { reason } = signal;
      leave(reason instanceof RaglineError ? reason : new RaglineError("cancelled", "The caller left."));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const leftMs = Math.min(deadline - performance.now(), WRITE_LIMIT_MS);
    const timer = setTimeout(() => leave(this.#tooLate()), leftMs);
    if (signal.aborted) onAbort();
    this.#waiting.push(write);
    this.#running ??= this.#run();
    return done.promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    });
  }

  /** One that could not be written yet comes again, after a pause. */
  again(write: QueuedWrite<T>, pauseMs: number): void {
    void sleep(pauseMs).then(() => {
      this.#waiting.push(write);
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // Those that come in the same turn go together.
    await yieldToOthers();
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        if (batch.length > 0) await this.#write(batch);
      } catch (thrown) {
        for (const { done } of batch) done.reject(thrown);
      }
    }
    this.#running = null;
  }

  /** Each document once; a second write of it is for the next batch. */
  #take(): QueuedWrite<T>[] {
    const batch: QueuedWrite<T>[] = [];
    const kept: QueuedWrite<T>[] = [];
    const keys = new Set<string>();
    let passages = 0;
    for (const write of this.#waiting.splice(0)) {
      if (write.isLeft) continue;
      const size = this.#passagesOf(write.what);
      const fits = batch.length === 0 || (passages + size <= BATCH_PASSAGES_MAX && batch.length < BATCH_DOCUMENTS_MAX);
      if (!fits || keys.has(write.key)) kept.push(write);
      else {
        batch.push(write);
        passages += size;
      }
      keys.add(write.key);
    }
    this.#waiting.unshift(...kept);
    return batch;
  }
}
