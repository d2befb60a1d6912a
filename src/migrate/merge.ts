import type { DocumentEntry } from "../types.ts";

/** One id, and what each side has under it; never null on both. */
export type Pair =
  | { readonly id: string; readonly source: DocumentEntry; readonly target: DocumentEntry | null }
  | { readonly id: string; readonly source: null; readonly target: DocumentEntry };

type Entries = AsyncIterator<DocumentEntry, unknown>;

/** Two lists in the order of their ids' UTF-8 bytes, as one. */
export async function* paired(source: Entries, target: Entries): AsyncGenerator<Pair> {
  let [ours, theirs] = await Promise.all([next(source), next(target)]);
  while (ours || theirs) {
    const order = !ours ? 1 : !theirs ? -1 : compareIds(ours.id, theirs.id);
    if (ours && order < 0) yield { id: ours.id, source: ours, target: null };
    else if (ours && order === 0) yield { id: ours.id, source: ours, target: theirs };
    else if (theirs) yield { id: theirs.id, source: null, target: theirs };
    if (order <= 0) ours = await next(source);
    if (order >= 0) theirs = await next(target);
  }
}

/** The order of the indexes' lists: not JavaScript's, which is by UTF-16 units. */
export function compareIds(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function next(entries: Entries): Promise<DocumentEntry | null> {
  const { done, value } = await entries.next();
  return done ? null : (value as DocumentEntry);
}
