import { RaglineError } from "../errors.ts";
import { STEPS, type Step } from "../types.ts";
import type { LoadClient } from "./client.ts";

/** What the target says of itself. */
export interface Target {
  readonly emulated: readonly Step[] | null;
  readonly documents: readonly { readonly id: string; readonly title: string }[];
}

/** @throws RaglineError `dependency_failed`: no Ragline answers there; `unauthorized`: to none without a key. */
export async function inspectTarget(client: LoadClient, url: string, collection: string | undefined): Promise<Target> {
  const chosen = collection === undefined ? "" : `collection=${encodeURIComponent(collection)}`;
  try {
    const status = (await client.get(chosen ? `/v1/status?${chosen}` : "/v1/status")) as {
      readonly emulated?: unknown;
    };
    const listed = (await client.get(`/v1/documents?limit=1000${chosen && `&${chosen}`}`)) as {
      readonly documents?: Target["documents"];
    };
    return { emulated: emulatedOf(status.emulated), documents: listed.documents ?? [] };
  } catch (cause) {
    if (cause instanceof RaglineError) throw cause;
    throw new RaglineError(
      "dependency_failed",
      `no Ragline answers at ${url} (${reasonOf(cause)}); start one: ragline serve`,
      { cause },
    );
  }
}

/** The innermost: `fetch failed` says nothing. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.cause instanceof Error ? reasonOf(thrown.cause) : thrown.message;
}

function emulatedOf(value: unknown): Step[] | null {
  return Array.isArray(value) ? STEPS.filter((step) => value.includes(step)) : null;
}
