import { setTimeout as sleep } from "node:timers/promises";
import type { CallOptions } from "../../types.ts";
import { type OpenSearchClient, refusalBehind } from "./opensearch-client.ts";

/** A new index's shards start within this. */
const SEARCHABLE_WITHIN_MS = 10_000;
/** Who reads waits for less: the shards may be those of a node that is gone. */
const READABLE_WITHIN_MS = 1000;
const POLL_MS = 25;

/** Null where what was asked for is not there. */
export async function orNull<T>(pending: Promise<T>): Promise<T | null> {
  try {
    return await pending;
  } catch (thrown) {
    if (refusalBehind(thrown)?.status === 404) return null;
    throw thrown;
  }
}

/**
 * What `read` gives that reads this index too, null where what it asks for is not there. An index that is being made, or whose node has
 * just started, is waited for.
 */
export async function readIn<T>(
  client: OpenSearchClient,
  index: string,
  read: () => Promise<T>,
  call: CallOptions,
): Promise<T | null> {
  try {
    return await orNull(read());
  } catch (thrown) {
    if (refusalBehind(thrown)?.status !== 503) throw thrown;
    await searchable(client, index, READABLE_WITHIN_MS, call);
    return orNull(read());
  }
}

/** What an index holds under the id; undefined: nothing, or there is no such index. */
export async function storedIn(
  client: OpenSearchClient,
  index: string,
  id: string,
  call: CallOptions,
): Promise<unknown> {
  const path = `/${index}/_doc/${id}`;
  const found = await readIn(client, index, () => client.request({ method: "GET", path }, call), call);
  return (found as { readonly _source?: unknown } | null)?._source;
}

/** Makes the index, or waits until the one that is there, which somebody else may just be making, can be searched. */
export async function createdOnce(
  client: OpenSearchClient,
  index: string,
  body: object,
  call: CallOptions,
): Promise<void> {
  try {
    await client.request({ method: "PUT", path: `/${index}`, body }, call);
  } catch (thrown) {
    if (refusalBehind(thrown)?.type !== "resource_already_exists_exception") throw thrown;
    await searchable(client, index, SEARCHABLE_WITHIN_MS, call);
  }
}

async function searchable(client: OpenSearchClient, index: string, withinMs: number, call: CallOptions): Promise<void> {
  for (const since = performance.now(); ; await sleep(POLL_MS, undefined, { signal: call.signal })) {
    try {
      await client.request({ method: "POST", path: `/${index}/_search`, body: { size: 0 } }, call);
      return;
    } catch (thrown) {
      const isTooEarly = refusalBehind(thrown)?.status === 503;
      if (!isTooEarly || performance.now() - since > withinMs) throw thrown;
    }
  }
}
