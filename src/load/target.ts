import { RaglineError } from "../errors.ts";
import { STEPS, type Step } from "../types.ts";
import type { LoadClient } from "./client.ts";

/** What the target says of itself. */
export interface Target {
  readonly emulated: readonly Step[] | null;
  readonly documents: readonly { readonly id: string; readonly title: string }[];
}

/** @throws RaglineError `dependency_failed`: no Ragline answers there. */
export async function inspectTarget(client: LoadClient, url: string, collection: string | undefined): Promise<Target> {
  const query = collection === undefined ? "" : `collection=${encodeURIComponent(collection)}`;
  try {
    const status = (await client.get(`/v1/status?${query}`)) as { readonly emulated?: unknown };
    const listed = (await client.get(`/v1/documents?limit=1000&${query}`)) as {
      readonly documents?: Target["documents"];
    };
    return { emulated: emulatedOf(status.emulated), documents: listed.documents ?? [] };
  } catch (cause) {
    throw new RaglineError(
      "dependency_failed",
      `no Ragline answers at ${url} (${String(cause)}); start one: ragline serve`,
      {
        cause,
      },
    );
  }
}

function emulatedOf(value: unknown): Step[] | null {
  return Array.isArray(value) ? STEPS.filter((step) => value.includes(step)) : null;
}
