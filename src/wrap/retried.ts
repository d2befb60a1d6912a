import { setTimeout as sleep } from "node:timers/promises";
import { type RaglineError, toRaglineError } from "../errors.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { CallOptions } from "../types.ts";
import { RetryBudget } from "./retry-budget.ts";
import { withMethods } from "./with-methods.ts";

export interface RetryOptions {
  /** Further tries a request. */
  readonly retries: number;
  /** One a dependency; default: a new one. */
  readonly budget?: RetryBudget;
}

const FIRST_WAIT_MS = 100;

/**
 * Tries again what failed and may pass, within the deadline, after a wait of full jitter
 * (AWS, "Exponential Backoff And Jitter") or what the upstream asked for, while the budget lasts.
 */
class Retries {
  readonly #retries: number;
  readonly #budget: RetryBudget;

  constructor({ retries, budget = new RetryBudget() }: RetryOptions) {
    this.#retries = retries;
    this.#budget = budget;
  }

  async run<T>(call: CallOptions, attempt: () => Promise<T>): Promise<T> {
    this.#budget.request();
    for (let tries = 0; ; tries++) {
      try {
        return await attempt();
      } catch (thrown) {
        await this.#before(thrown, tries, call);
      }
    }
  }

  stream<T>(call: CallOptions, open: () => AsyncIterable<T>): AsyncIterableIterator<T> {
    return new RetriedStream(this, call, open);
  }

  /** Resolves when it is time for another try. @throws RaglineError the failure, where there is none. */
  async #before(
    thrown: unknown,
    tries: number,
    { signal, deadline = Number.POSITIVE_INFINITY }: CallOptions,
  ): Promise<void> {
    const error = toRaglineError(thrown);
    const waitMs = waitBefore(error, tries);
    const isInTime = performance.now() + waitMs < deadline;
    if (!isWorthIt(error) || tries >= this.#retries || signal.aborted || !isInTime || !this.#budget.take()) throw error;
    await sleep(waitMs, undefined, { signal }).catch(() => {
      throw error;
    });
  }
}

/** Once the first item is there nothing stands between, as this runs once a token; nor is what it took to open it held any more. */
class RetriedStream<T> implements AsyncIterableIterator<T> {
  #first: (() => Promise<IteratorResult<T>>) | undefined;
  #source: AsyncIterator<T> | undefined;

  constructor(retries: Retries, call: CallOptions, open: () => AsyncIterable<T>) {
    this.#first = () =>
      retries.run(call, () => {
        this.#source = open()[Symbol.asyncIterator]();
        return this.#source.next();
      });
  }

  next(): Promise<IteratorResult<T>> {
    const first = this.#first;
    this.#first = undefined;
    if (first) return first();
    return this.#source?.next() ?? Promise.resolve({ done: true, value: undefined });
  }

  async return(value?: unknown): Promise<IteratorResult<T>> {
    return (await this.#source?.return?.(value)) ?? { done: true, value };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** A queue that is full refuses to shed load: who comes back at once defeats it. */
function isWorthIt({ code, retryable }: RaglineError): boolean {
  return retryable && code !== "overloaded" && code !== "cancelled";
}

function waitBefore({ retryAfterMs = 0 }: RaglineError, tries: number): number {
  const jitter = Math.random() * FIRST_WAIT_MS * 2 ** tries;
  // All who were sent away together would come back together.
  return retryAfterMs + jitter;
}

export function retriedEmbedder(embedder: Embedder, options: RetryOptions): Embedder {
  const retries = new Retries(options);
  return withMethods(embedder, {
    embed: (texts, kind, call) => retries.run(call, () => embedder.embed(texts, kind, call)),
  });
}

export function retriedReranker(reranker: Reranker, options: RetryOptions): Reranker {
  const retries = new Retries(options);
  return withMethods(reranker, {
    rerank: (query, texts, call) => retries.run(call, () => reranker.rerank(query, texts, call)),
  });
}

/** Tried again before the first delta only: what was said is never said twice. */
export function retriedModel(model: LanguageModel, options: RetryOptions): LanguageModel {
  const retries = new Retries(options);
  return withMethods(model, {
    stream: (request, call) => retries.stream(call, () => model.stream(request, call)),
  });
}

/** Searches are tried again, and nothing else: writes are the caller's to repeat. */
export function retriedSearches(index: PassageIndex, options: RetryOptions): PassageIndex {
  const retries = new Retries(options);
  return withMethods(index, {
    search: (scope, query, call) => retries.run(call, () => index.search(scope, query, call)),
  });
}
