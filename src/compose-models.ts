import type { Config } from "./config.ts";
import type { Embedder } from "./ports/embedder.ts";
import type { LanguageModel } from "./ports/language-model.ts";
import type { Reranker } from "./ports/reranker.ts";
import type { TokenCounter } from "./ports/token-counter.ts";
import type { EndpointState, Step } from "./types.ts";
import { cachedEmbedder } from "./wrap/cached.ts";
import { limitedEmbedder, limitedModel, limitedReranker } from "./wrap/limited.ts";
import { meteredEmbedder, meteredModel, meteredReranker } from "./wrap/metered.ts";
import { retriedEmbedder, retriedModel, retriedReranker } from "./wrap/retried.ts";
import {
  type Endpoint,
  type Spread,
  type SpreadOptions,
  spreadEmbedder,
  spreadModel,
  spreadReranker,
} from "./wrap/spread.ts";

/** Of a limit: what takes longer is slow, where the configuration does not say. */
const SLOW_SHARE = 0.9;

/** Where a port is served: at one place where it runs in this process or beside it. */
export type Endpoints<P> = readonly [Endpoint<P>, ...Endpoint<P>[]];

export function inProcess<P extends { readonly model: string }>(port: P): Endpoints<P> {
  return [{ name: port.model, port }];
}

/** One endpoint an address, named by its host and path: never by what else a URL may hold. */
export function endpointsAt<P>(baseUrl: string | readonly string[], open: (baseUrl: string) => P): Endpoints<P> {
  const [first = "", ...others] = [baseUrl].flat();
  const at = (url: string) => {
    const { host, pathname } = new URL(url);
    return { name: `${host}${pathname.replace(/\/+$/, "")}`, port: open(url) };
  };
  return [at(first), ...others.map(at)];
}

/** What is known of all endpoints. */
export class Spreads {
  readonly #all: Spread<unknown>[] = [];

  add<P>(spread: Spread<P>): P {
    this.#all.push(spread);
    return spread.port;
  }

  states(): readonly EndpointState[] {
    return this.#all.flatMap((spread) => spread.states());
  }
}

/**
 * From the outside in: a hit of the cache costs no turn; each try takes a turn, and none while it waits; it goes to one endpoint
 * (hedged, to two); what is metered are calls.
 */
export function wrapEmbedder(
  endpoints: Endpoints<Embedder>,
  config: Config["embed"],
  counter: TokenCounter,
  spreads: Spreads,
): Embedder {
  if (!("cacheMb" in config)) return endpoints[0].port;
  const metered = each(endpoints, (port) => meteredEmbedder(port, counter));
  const called = () => {
    if (!("breaker" in config)) return metered[0].port;
    const spread = spreads.add(spreadEmbedder(metered, spreading("embed", config.timeoutMs, config)));
    return retriedEmbedder(limitedEmbedder(spread, config), config);
  };
  return config.cacheMb === 0 ? called() : cachedEmbedder(called(), { bytesMax: config.cacheMb * 1_048_576 });
}

export function wrapReranker(
  endpoints: Endpoints<Reranker>,
  config: Config["rerank"],
  counter: TokenCounter,
  spreads: Spreads,
): Reranker {
  if (config.use === "lexical") return endpoints[0].port;
  const metered = each(endpoints, (port) => meteredReranker(port, counter));
  if (!("breaker" in config)) return metered[0].port;
  const spread = spreads.add(spreadReranker(metered, spreading("rerank", config.timeoutMs, config)));
  return retriedReranker(limitedReranker(spread, config), config);
}

export function wrapModel(
  endpoints: Endpoints<LanguageModel>,
  config: Config["generate"],
  spreads: Spreads,
): LanguageModel {
  if (config.use === "extractive") return endpoints[0].port;
  const metered = each(endpoints, meteredModel);
  if (!("breaker" in config)) return metered[0].port;
  const spread = spreads.add(spreadModel(metered, spreading("generate", config.firstTokenTimeoutMs, config)));
  return retriedModel(limitedModel(spread, config), config);
}

function each<P>([first, ...others]: Endpoints<P>, wrap: (port: P) => P): Endpoints<P> {
  const one = (endpoint: Endpoint<P>) => ({ ...endpoint, port: wrap(endpoint.port) });
  return [one(first), ...others.map(one)];
}

interface SpreadConfig {
  readonly balance?: SpreadOptions["balance"];
  readonly hedge?: boolean;
  readonly breaker: Omit<SpreadOptions["breaker"], "slowMs"> & { readonly slowMs?: number | undefined };
}

function spreading(step: Step, limitMs: number, config: SpreadConfig): SpreadOptions {
  const { balance = "least_outstanding", hedge = false, breaker } = config;
  return { step, balance, hedge, breaker: { ...breaker, slowMs: breaker.slowMs ?? SLOW_SHARE * limitMs } };
}
