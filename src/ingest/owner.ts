import type { PassageIndex } from "../ports/passage-index.ts";
import type { Scope } from "../types.ts";

/**
 * Whoever indexes a collection's sources: sees every document in it, and need not belong to the groups that may read them. A caller that
 * names its groups owns no more than what these may read, and what it indexes.
 */
export interface Owner {
  /** With every group that was there when it was first asked, and those noted since. */
  scope(): Promise<Scope>;
  /** Of a document that is indexed. */
  note(groups: readonly string[]): void;
}

export function createOwner(
  index: PassageIndex,
  { scope, signal }: { readonly scope: Scope; readonly signal: AbortSignal },
): Owner {
  const groups = new Set(scope.groups);
  let isAsked = scope.groups.length > 0;
  let all = scope;
  let known = groups.size;
  const note: Owner["note"] = (more) => {
    for (const group of more) groups.add(group);
  };
  return {
    note,
    async scope() {
      if (!isAsked) note(await index.groups(scope, { signal }));
      isAsked = true;
      if (groups.size > known) all = { ...scope, groups: [...groups] };
      known = groups.size;
      return all;
    },
  };
}
