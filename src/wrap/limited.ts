import { RaglineError } from "../errors.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { CallOptions } from "../types.ts";
import { WatchedStream } from "./watched-stream.ts";
import { withMethods } from "./with-methods.ts";

export interface LimitOptions {
  /** Calls at once. */
  readonly concurrencyMax: number;
  /** Calls that may wait for their turn; a further one is refused at once. */
  readonly queueMax: number;
  /** Given a look at how many wait. */
  readonly watchQueue?: (waiting: () => number) => void;
}

interface Waiting {
  start(): void;
}

/** Turns for a bounded number of calls at once. Who waits has a bounded queue; who leaves it takes no turn. */
export class Turns {
  readonly #options: LimitOptions;
  #running = 0;
  /** Readers wait before background work. */
  readonly #queues: readonly [Set<Waiting>, Set<Waiting>] = [new Set(), new Set()];

  constructor(options: LimitOptions) {
    this.#options = options;
    options.watchQueue?.(() => this.waiting);
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queues[0].size + this.#queues[1].size;
  }

  /** Resolves with what gives the turn back, and tells the call how long it waited. @throws RaglineError `overloaded`: the queue is full; or the signal's reason. */
  take(call: Pick<CallOptions, "signal" | "onServed">, isBackground = false): Promise<() => void> {
    const { signal } = call;
    signal.throwIfAborted();
    const { concurrencyMax, queueMax } = this.#options;
    if (this.#running < concurrencyMax) {
      this.#running++;
      return Promise.resolve(() => this.#next());
    }
    if (this.waiting >= queueMax) {
      const message = `${concurrencyMax} calls are under way and ${queueMax} wait.`;
      return Promise.reject(new RaglineError("overloaded", message));
    }
    return this.#wait(call, this.#queues[isBackground ? 1 : 0]);
  }

  #wait(call: Pick<CallOptions, "signal" | "onServed">, queue: Set<Waiting>): Promise<() => void> {
    const { signal } = call;
    const since = performance.now();
    const over = () => call.onServed?.({ queueMs: performance.now() - since, serviceMs: 0 });
    return new Promise((resolve, reject) => {
      const waiting = {
        start: () => {
          signal.removeEventListener("abort", leave);
          over();
          resolve(() => this.#next());
        },
      };
      const leave = () => {
        queue.delete(waiting);
        over();
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      queue.add(waiting);
    });
  }

  /** Hands the turn on. */
  #next(): void {
    for (const queue of this.#queues) {
      for (const waiting of queue) {
        queue.delete(waiting);
        waiting.start();
        return;
      }
    }
    this.#running--;
  }
}

export function limitedEmbedder(embedder: Embedder, options: LimitOptions): Embedder {
  const turns = new Turns(options);
  return withMethods(embedder, {
    async embed(texts, kind, call) {
      const done = await turns.take(call, kind === "passage");
      try {
        return await embedder.embed(texts, kind, call);
      } finally {
        done();
      }
    },
  });
}

export function limitedReranker(reranker: Reranker, options: LimitOptions): Reranker {
  const turns = new Turns(options);
  return withMethods(reranker, {
    async rerank(query, texts, call) {
      const done = await turns.take(call);
      try {
        return await reranker.rerank(query, texts, call);
      } finally {
        done();
      }
    },
  });
}

/** A turn lasts as long as its stream. */
export function limitedModel(model: LanguageModel, options: LimitOptions): LanguageModel {
  const turns = new Turns(options);
  return withMethods(model, {
    stream(request, call) {
      return new WatchedStream(async () => {
        const onEnd = await turns.take(call);
        return { source: model.stream(request, call), onEnd };
      });
    },
  });
}
