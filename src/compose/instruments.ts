import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { Tracer } from "../telemetry/api.ts";
import type { EndpointState, Step } from "../types.ts";
import type { Spread } from "../wrap/spread.ts";
import { type TracedOptions, tracedEmbedder, tracedModel, tracedReranker } from "../wrap/traced.ts";
import { tracedStore } from "../wrap/traced-store.ts";

/** What of a block of the configuration says who serves its step. */
interface ServerBlock {
  readonly use: string;
  readonly baseUrl?: string | readonly string[];
  readonly url?: string;
}

/** What measures a composition: its wrappers' counts, for whoever asks, and spans of its calls, where somebody traces. */
export class Instruments {
  readonly vectors = { hits: 0, misses: 0 };
  readonly #queues: { readonly step: Step; readonly waiting: () => number }[] = [];
  readonly #spreads: Spread<unknown>[] = [];
  readonly #tracer: Tracer | undefined;
  readonly #content: boolean;

  /** `content`: whether spans hold prompts and answers. */
  constructor(tracer: Tracer | undefined, content: boolean) {
    this.#tracer = tracer;
    this.#content = content;
  }

  /** The options of something with a queue, which is watched from now on. */
  queued<T extends object>(step: Step, options: T): T & { watchQueue(waiting: () => number): void } {
    return { ...options, watchQueue: (waiting) => void this.#queues.push({ step, waiting }) };
  }

  /** The port of a step's endpoints, which are watched from now on. */
  spread<P>(spread: Spread<P>): P {
    this.#spreads.push(spread);
    return spread.port;
  }

  endpoints(): readonly EndpointState[] {
    return this.#spreads.flatMap((spread) => spread.states());
  }

  /** How many calls wait, by step. */
  queues(): { readonly step: Step; readonly waiting: number }[] {
    const depths = new Map<Step, number>();
    for (const { step, waiting } of this.#queues) depths.set(step, (depths.get(step) ?? 0) + waiting());
    return [...depths].map(([step, waiting]) => ({ step, waiting }));
  }

  readonly onLookup = (hits: number, misses: number): void => {
    this.vectors.hits += hits;
    this.vectors.misses += misses;
  };

  embedder(embedder: Embedder, block: ServerBlock, endpoint: string): Embedder {
    const options = this.#traced(block, endpoint);
    return options ? tracedEmbedder(embedder, options) : embedder;
  }

  reranker(reranker: Reranker, block: ServerBlock, endpoint: string): Reranker {
    const options = this.#traced(block, endpoint);
    return options ? tracedReranker(reranker, options) : reranker;
  }

  model(model: LanguageModel, block: ServerBlock, endpoint: string): LanguageModel {
    const options = this.#traced(block, endpoint);
    return options ? tracedModel(model, options) : model;
  }

  /** A store outside this process. */
  store<T extends object>(store: T, block: ServerBlock, methods: readonly (keyof T & string)[]): T {
    const options = this.#traced(block);
    return options ? tracedStore(store, options, methods) : store;
  }

  /** `endpoint`: its name, for what is not found by one URL. */
  #traced({ use, baseUrl, url }: ServerBlock, endpoint?: string): TracedOptions | null {
    if (!this.#tracer) return null;
    const known =
      url ?? (typeof baseUrl === "string" ? baseUrl : baseUrl?.find((one) => endpoint && one.includes(endpoint)));
    return {
      tracer: this.#tracer,
      provider: use,
      url: known ?? (use === "grpc" && endpoint ? `http://${endpoint}` : undefined),
      content: this.#content,
    };
  }
}
