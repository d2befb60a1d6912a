import type { EraseReport } from "./api.ts";
import { unlessLeft } from "./errors.ts";
import { InFlight } from "./in-flight.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { PassageIndex } from "./ports/passage-index.ts";
import type { CallOptions, Scope } from "./types.ts";

const PAGE = 1_000;
const DELETED_AT_ONCE = 8;

/**
 * Deletes a tenant's collection: documents of every group, conversations, cached answers. Takes as long as it takes; where it rejects, what
 * is gone is gone, and the next call goes on.
 */
export async function erase(
  { index, sessions, cache }: Pick<Stages, "index" | "sessions" | "cache">,
  scope: Scope,
  call: CallOptions,
): Promise<EraseReport> {
  try {
    const documents = await eraseDocuments(index, scope, call);
    const { user: _, ...everybodys } = scope;
    const erased = await sessions.deleteAll(everybodys, call);
    // Last: what is answered meanwhile may still be kept.
    await cache?.deleteAll(scope, call);
    return { documents, sessions: erased };
  } catch (thrown) {
    throw unlessLeft(thrown, call.signal);
  }
}

/** Until there are none to delete, as documents of further groups may have come meanwhile. */
async function eraseDocuments(index: PassageIndex, scope: Scope, call: CallOptions): Promise<number> {
  let all = 0;
  for (let before = -1; all > before; ) {
    before = all;
    const owner = { ...scope, groups: await index.groups(scope, call) };
    for (let after: string | undefined = ""; after !== undefined; ) {
      const page = await index.list(owner, { after, limit: PAGE }, call);
      const deleting = new InFlight({ countMax: DELETED_AT_ONCE, weightMax: Number.POSITIVE_INFINITY });
      for (const { id } of page.documents) {
        call.signal.throwIfAborted();
        await deleting.add(1, async () => {
          if (await index.delete(owner, id, call)) all++;
        });
      }
      await deleting.ended();
      after = page.next;
    }
  }
  await index.purge?.(scope, call);
  return all;
}
