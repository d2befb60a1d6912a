import { RaglineError } from "./errors.ts";
import type { Scope } from "./types.ts";

type Readable = { readonly groups: readonly string[] };

export function isReadable({ groups }: Readable, scope: Scope): boolean {
  return groups.length === 0 || groups.some((group) => scope.groups.includes(group));
}

/**
 * Why what is there is not replaced (`conflict`), or null: the writer may not read it, or could not read what would replace it. It would
 * be hidden, its id with it, by anyone. That the id is taken is all that is told of what the writer may not read.
 */
export function replacementRefusal(
  scope: Scope,
  stored: Readable,
  document: Readable & { readonly id: string },
): RaglineError | null {
  if (!isReadable(stored, scope)) return idTaken(document.id);
  if (isReadable(document, scope)) return null;
  const message = `groups: you may read ${JSON.stringify(document.id)}, and could not read what would replace it; name a group of yours, or delete it first`;
  return new RaglineError("conflict", message, { retryable: false });
}

export function idTaken(id: string): RaglineError {
  const message = `id: ${JSON.stringify(id)} is taken by a document that you may not read; use another`;
  return new RaglineError("conflict", message, { retryable: false });
}
