import type { Embedder } from "../ports/embedder.ts";
import type { FusionStore } from "../ports/fusion-store.ts";
import type { GenerateDelta, LanguageModel } from "../ports/language-model.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { EndpointState } from "../types.ts";
import { AgreedVersions } from "./agreed-versions.ts";
import { closeAll } from "./close-all.ts";
import { type Endpoint, type Slot, SpreadCalls, type SpreadOptions } from "./spread-calls.ts";
import { type Watch, WatchedStream } from "./watched-stream.ts";
import { withMethods } from "./with-methods.ts";

export type { Endpoint, SpreadOptions } from "./spread-calls.ts";

/** A port that several endpoints serve, and what is known of each. */
export interface Spread<P> {
  readonly port: P;
  states(): readonly EndpointState[];
}

/**
 * One port in the place of several endpoints that serve the same, each behind a circuit breaker: calls go to the one with the fewest
 * under way (or in turn) of those that serve. Where no endpoint takes a call it fails at once. Nothing is
 * tried again here; of what takes long a second endpoint is asked too (see `Hedge`). What is no call of a model comes from the first endpoint.
 */
export function spreadEmbedder(endpoints: readonly Endpoint<Embedder>[], options: SpreadOptions): Spread<Embedder> {
  const calls = new SpreadCalls(endpoints, options);
  const port = withMethods(firstOf(endpoints), {
    embed(texts, kind, call) {
      const embed = (embedder: Embedder, own: typeof call) => embedder.embed(texts, kind, own);
      return kind === "query" ? calls.run(call, embed) : calls.background(call, embed);
    },
    ...together(endpoints),
    ...problems(endpoints),
  });
  return { port, states: () => calls.states() };
}

export function spreadReranker(endpoints: readonly Endpoint<Reranker>[], options: SpreadOptions): Spread<Reranker> {
  const calls = new SpreadCalls(endpoints, options);
  const port = withMethods(firstOf(endpoints), {
    rerank: (query, texts, call) => calls.run(call, (reranker, own) => reranker.rerank(query, texts, own)),
    ...together(endpoints),
    ...problems(endpoints),
  });
  return { port, states: () => calls.states() };
}

/** What a question asks for is spread; everything else is the first endpoint's. */
export function spreadSearches(
  endpoints: readonly Endpoint<PassageIndex>[],
  options: SpreadOptions,
): Spread<PassageIndex> {
  const calls = new SpreadCalls(endpoints, options);
  const versions = new AgreedVersions();
  const { fusion } = firstOf(endpoints);
  const load: FusionStore["load"] = (scope, call) =>
    calls.run(call, async (index, own) => (await index.fusion?.load(scope, own)) ?? null);
  const port = withMethods(firstOf(endpoints), {
    search: (scope, query, call) => calls.run(call, (index, own) => index.search(scope, query, own)),
    version: async (scope, call) => {
      const version = await calls.run(call, (index, own) => index.version(scope, own));
      return endpoints.length > 1 ? versions.of(scope, version) : version;
    },
    status: (scope, call) => calls.run(call, (index, own) => index.status(scope, own)),
    ...(fusion && { fusion: withMethods(fusion, { load }) }),
    close: () => closeAll(endpoints.map(({ port }) => port)),
  });
  return { port, states: () => calls.states() };
}

/** A stream is good once its first delta is there; one that breaks off later is a failure all the same. Never hedged. */
export function spreadModel(
  endpoints: readonly Endpoint<LanguageModel>[],
  options: SpreadOptions,
): Spread<LanguageModel> {
  const calls = new SpreadCalls(endpoints, options);
  const port = withMethods(firstOf(endpoints), {
    stream(request, call) {
      return new WatchedStream(() => {
        const slot = calls.pick(call);
        const watch = new StreamCall(calls, slot);
        return { source: slot.endpoint.port.stream(request, call), watch };
      });
    },
    missing: () => ofAll(endpoints, (model) => model.missing?.() ?? null),
    ...together(endpoints),
  });
  return { port, states: () => calls.states() };
}

/** What becomes of one stream. */
class StreamCall implements Watch<GenerateDelta> {
  readonly #calls: SpreadCalls<LanguageModel>;
  readonly #slot: Slot<LanguageModel>;
  readonly #startedAt = performance.now();
  #isProbe: boolean;
  #hasVerdict = false;

  constructor(calls: SpreadCalls<LanguageModel>, slot: Slot<LanguageModel>) {
    this.#calls = calls;
    this.#slot = slot;
    this.#isProbe = slot.begin();
  }

  /** Called once a token. */
  onItem(): void {
    if (this.#hasVerdict) return;
    this.#hasVerdict = true;
    this.#slot.good(this.#isProbe, this.#startedAt, performance.now());
    this.#isProbe = false;
  }

  onFailure(thrown: unknown): unknown {
    this.#hasVerdict = true;
    const now = performance.now();
    this.#slot.bad(this.#isProbe, this.#startedAt, now, thrown);
    return this.#calls.elsewhere(thrown, this.#slot, now);
  }

  onEnd(): void {
    this.#slot.inFlight--;
    if (!this.#hasVerdict) this.#slot.left(this.#isProbe);
  }
}

function firstOf<P>([first]: readonly Endpoint<P>[]): P {
  if (!first) throw new RangeError("a port needs at least one endpoint");
  return first.port;
}

interface Lasting {
  warm?(options: { readonly signal: AbortSignal }): Promise<void>;
  close?(): Promise<void>;
}

function together(endpoints: readonly Endpoint<Lasting>[]) {
  const ports = endpoints.map(({ port }) => port);
  return {
    /** Some may be away: the others are warm. */
    async warm(options: { readonly signal: AbortSignal }): Promise<void> {
      const warmed = await Promise.allSettled(ports.map((port) => port.warm?.(options)));
      const failure = warmed.find((one) => one.status === "rejected");
      if (failure && warmed.every((one) => one.status === "rejected")) throw failure.reason;
    },
    close: () => closeAll(ports),
  };
}

function problems(endpoints: readonly Endpoint<{ problem?(): string | null }>[]) {
  return { problem: () => ofAll(endpoints, (port) => port.problem?.() ?? null) };
}

/** What is the matter where something is with every one of them; null: one can be used. */
function ofAll<P>(endpoints: readonly Endpoint<P>[], problemOf: (port: P) => string | null): string | null {
  const found = endpoints.map(({ port }) => problemOf(port));
  return found.every((one) => one !== null) ? (found[0] ?? null) : null;
}
