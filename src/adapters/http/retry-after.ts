import type { Headers } from "./response-body.ts";

const LONGEST_MS = 3_600_000;

/**
 * How long an upstream asks to be left alone: `retry-after-ms` (OpenAI, Azure) or `retry-after` in seconds or as a date
 * (RFC 9110, 10.2.3). At most an hour; undefined where neither is there or readable.
 */
export function retryAfterMs(headers: Headers, now = Date.now()): number | undefined {
  const exact = numberOf(headers["retry-after-ms"]);
  if (exact !== undefined) return Math.min(exact, LONGEST_MS);
  const seconds = numberOf(headers["retry-after"]);
  if (seconds !== undefined) return Math.min(seconds * 1000, LONGEST_MS);
  const at = Date.parse(String(headers["retry-after"]));
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), LONGEST_MS);
}

function numberOf(header: Headers[string]): number | undefined {
  return typeof header === "string" && /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) : undefined;
}
