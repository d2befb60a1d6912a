import type { FastifyRequest } from "fastify";
import { RaglineError } from "../errors.ts";

/**
 * A header, `name` in lower case; undefined: not sent.
 * @throws RaglineError `request_invalid`: sent more than once; of these a proxy may have gone by another than this server would
 */
export function sentOnce({ headers, raw }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  const times = raw.rawHeaders.filter((one, i) => i % 2 === 0 && one.toLowerCase() === name).length;
  if (times > 1) throw new RaglineError("request_invalid", `${name}: must be sent once`);
  return String(value);
}
