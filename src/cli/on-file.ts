import type { Config } from "../config.ts";

/** The same search in a file of this machine, whatever is configured. */
export function searchOnFile(search: Config["search"], file: string): Config["search"] {
  const { top, fusion, vectorWeight, vectorWeightCovered, retries, timeoutMs } = search;
  return { use: "sqlite", file, top, fusion, vectorWeight, vectorWeightCovered, retries, timeoutMs };
}

/** The same conversations in a file of this machine. */
export function sessionsOnFile(
  { ttlMs, turns, timeoutMs, leaseMs, pendingMax }: Config["session"],
  file: string,
): Config["session"] {
  return { use: "sqlite", file, ttlMs, turns, timeoutMs, leaseMs, pendingMax };
}
