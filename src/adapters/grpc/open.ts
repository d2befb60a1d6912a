import { setTimeout as sleep } from "node:timers/promises";
import { RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";
import type { GrpcOptions } from "./channel.ts";
import { GrpcEndpoint } from "./endpoint.ts";
import { Siblings } from "./siblings.ts";

/** One endpoint of a step, and the port that it serves. */
export interface OpenedEndpoint<P> {
  /** `host:port`. */
  readonly name: string;
  readonly port: P;
  /** Whether calls may go there. Costs nothing. */
  serving(): boolean;
}

export type OpenedEndpoints<P> = readonly [OpenedEndpoint<P>, ...OpenedEndpoint<P>[]];

interface Opened {
  readonly endpoint: GrpcEndpoint;
  readonly siblings: Siblings;
  problem(): string | null;
  warm(call: CallOptions): Promise<void>;
  close(): Promise<void>;
}

/** An endpoint that can be reached has said by then what it serves. */
const FIRST_TRY_MS = 1000;

/**
 * A port for each endpoint, once all have been reached or a second has passed. `isFixed`: what the first to be reached serves is what this process works with from then on.
 * @throws RaglineError `config_invalid`
 */
export async function openEndpoints<P>(
  options: GrpcOptions,
  isFixed: boolean,
  portOf: (opened: Opened) => P,
): Promise<OpenedEndpoints<P>> {
  const siblings = new Siblings(isFixed);
  const endpoints = options.endpoints.map((name) => new GrpcEndpoint(name, options, siblings));
  const late = new AbortController();
  const tried = Promise.all(endpoints.map((endpoint) => endpoint.tried));
  await Promise.race([tried, sleep(FIRST_TRY_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
  const opened = endpoints.map((endpoint) => {
    const port = portOf({
      endpoint,
      siblings,
      problem: () => {
        const problem = endpoint.problem();
        return problem && `${options.step}: ${problem}`;
      },
      warm: async (call) => void (await endpoint.described(call)),
      close: async () => endpoint.close(),
    });
    return { name: endpoint.name, port, serving: () => endpoint.serving() };
  });
  const [first, ...others] = opened;
  if (!first) throw new RaglineError("config_invalid", `${options.step}.endpoints: at least one is needed`);
  return [first, ...others];
}
