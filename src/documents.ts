import { boundedPage } from "./pages.ts";
import type { DocumentPage, PassageIndex } from "./ports/passage-index.ts";
import { withoutSource } from "./status.ts";
import type { CallOptions, DocumentEntry, Scope } from "./types.ts";

/** Documents by id, at most `limit` and as many as fit on a page. */
export async function listed(
  index: PassageIndex,
  scope: Scope,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  call: CallOptions,
): Promise<DocumentPage> {
  const idOf = ({ id }: DocumentEntry) => id;
  const { items, next } = await boundedPage(limit, after, idOf, async (from, count) => {
    const page = await index.list(scope, from === undefined ? { limit: count } : { after: from, limit: count }, call);
    return { items: page.documents.map(withoutSource), next: page.next };
  });
  return next === undefined ? { documents: items } : { documents: items, next };
}
