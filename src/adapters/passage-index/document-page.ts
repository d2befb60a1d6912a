import type { DocumentPage } from "../../ports/passage-index.ts";
import type { DocumentEntry } from "../../types.ts";

/** A page of a list: `found` holds one more than `limit` where the list goes on. */
export function pageOf<T>(found: readonly T[], limit: number, toEntry: (found: T) => DocumentEntry): DocumentPage {
  const documents = found.slice(0, limit).map(toEntry);
  const last = documents.at(-1);
  return found.length > limit && last ? { documents, next: last.id } : { documents };
}
