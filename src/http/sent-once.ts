import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { RaglineError } from "../errors.ts";

/** How often a header came, which Node joins or drops; `name` in lower case. */
export function timesSent({ rawHeaders }: IncomingMessage, name: string): number {
  let times = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const one = rawHeaders[i];
    if (one?.length === name.length && one.toLowerCase() === name) times++;
  }
  return times;
}

/**
 * A header, `name` in lower case; undefined: not sent.
 * @throws RaglineError `request_invalid`: sent more than once; of these a proxy may have gone by another than this server would
 */
export function sentOnce({ headers, raw }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  if (timesSent(raw, name) > 1) throw new RaglineError("request_invalid", `${name}: must be sent once`);
  return String(value);
}
