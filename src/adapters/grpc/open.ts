import { setTimeout as sleep } from "node:timers/promises";
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
  /** Why they may not, for the log. */
  reason(): string | null;
}

/** At least one. */
export type OpenedEndpoints<P> = readonly [OpenedEndpoint<P>, ...OpenedEndpoint<P>[]];

interface Opened {
  readonly endpoint: GrpcEndpoint;
  readonly siblings: Siblings;
  problem(): string | null;
  warm(call: CallOptions): Promise<void>;
  close(): Promise<void>;
}

/** Long enough for a reachable endpoint to report what it serves. */
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
  const endpoints: GrpcEndpoint[] = [];
  try {
    for (const name of options.endpoints) endpoints.push(new GrpcEndpoint(name, options, siblings));
    return await portsOf(endpoints, siblings, options, portOf);
  } catch (thrown) {
    for (const endpoint of endpoints) endpoint.close();
    throw thrown;
  }
}

async function portsOf<P>(
  endpoints: readonly GrpcEndpoint[],
  siblings: Siblings,
  { step }: GrpcOptions,
  portOf: (opened: Opened) => P,
): Promise<OpenedEndpoints<P>> {
  const late = new AbortController();
  const tried = Promise.all(endpoints.map((endpoint) => endpoint.tried));
  await Promise.race([tried, sleep(FIRST_TRY_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
  for (const endpoint of endpoints) endpoint.passOver();
  const open = (endpoint: GrpcEndpoint): OpenedEndpoint<P> => {
    const port = portOf({
      endpoint,
      siblings,
      problem: () => {
        const problem = endpoint.problem();
        return problem && `${step}: ${problem}`;
      },
      warm: async (call) => void (await endpoint.described(call)),
      close: async () => endpoint.close(),
    });
    return { name: endpoint.name, port, serving: () => endpoint.serving(), reason: () => endpoint.reason() };
  };
  const [first, ...others] = endpoints;
  if (!first) throw new RangeError("a stage needs at least one endpoint");
  return [open(first), ...others.map(open)];
}
