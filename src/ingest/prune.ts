import { resolve } from "node:path";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { LoadFailure } from "./files.ts";
import type { IngestOptions } from "./ingest.ts";
import { openChange } from "./open-change.ts";
import type { Owner } from "./owner.ts";

const PAGE = 1_000;

export interface Pruning extends Pick<IngestOptions, "signal" | "onOpenChange"> {
  readonly owner: Owner;
}

/**
 * Deletes the collection's documents that are not in `kept`, whoever may read them and however they came. A document that failed to load
 * keeps its old version, unless it was read and has no text. Where a failure may hide any number of documents (a folder, a line without
 * an id), and where the sources hold nothing at all (a disk that is not mounted), nothing is deleted.
 */
export async function prune(
  index: PassageIndex,
  { owner, signal, onOpenChange }: Pruning,
  kept: { readonly size: number; has(documentId: string): boolean },
  failures: readonly LoadFailure[],
): Promise<{ removed: number; pruneSkipped?: string }> {
  const hiding = failures.find((failure) => failure.documentId === undefined);
  if (hiding) return { removed: 0, pruneSkipped: `${hiding.path} ${hiding.reason}, which may hide documents` };
  if (kept.size === 0 && !failures.some(({ isEmpty }) => isEmpty))
    return { removed: 0, pruneSkipped: "the sources hold no document, which would delete all" };
  const unread = failures.filter(({ isEmpty }) => !isEmpty);
  const failed = new Set(unread.map(({ documentId }) => documentId));
  const files = new Set(unread.map(({ path }) => resolve(path)));
  const scope = await owner.scope();
  let removed = 0;
  let after: string | undefined;
  do {
    const page = await index.list(scope, { limit: PAGE, ...(after !== undefined && { after }) }, { signal });
    for (const entry of page.documents) {
      signal.throwIfAborted();
      const { id, source } = entry;
      const isKept = kept.has(id) || failed.has(id) || (source !== undefined && files.has(source));
      if (isKept || !(await index.delete(scope, id, { signal }))) continue;
      removed++;
      onOpenChange?.(openChange(entry, null));
    }
    after = page.next;
  } while (after !== undefined);
  return { removed };
}
