import type { Step } from "../types.ts";
import type { Endpoint, SpreadOptions } from "../wrap/spread.ts";

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

export function each<P>([first, ...others]: Endpoints<P>, wrap: (endpoint: Endpoint<P>) => P): Endpoints<P> {
  const one = (endpoint: Endpoint<P>) => ({ ...endpoint, port: wrap(endpoint) });
  return [one(first), ...others.map(one)];
}

interface SpreadConfig {
  readonly balance?: SpreadOptions["balance"];
  readonly hedge?: boolean;
  readonly breaker: Omit<SpreadOptions["breaker"], "slowMs"> & { readonly slowMs?: number | undefined };
}

export function spreading(step: Step, limitMs: number, config: SpreadConfig): SpreadOptions {
  const { balance = "least_outstanding", hedge = false, breaker } = config;
  return { step, balance, hedge, breaker: { ...breaker, slowMs: breaker.slowMs ?? SLOW_SHARE * limitMs } };
}
