import type { CallOptions, Scope } from "../../src/types.ts";

/** Options of a call that nobody cancels. */
export function call(signal: AbortSignal = new AbortController().signal): CallOptions {
  return { signal };
}

export const SCOPE: Scope = { tenant: "acme", collection: "handbook", groups: [] };

export function scope(change: Partial<Scope> = {}): Scope {
  return { ...SCOPE, ...change };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until the condition holds. @throws Error naming what did not happen, after `timeoutMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(5);
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
