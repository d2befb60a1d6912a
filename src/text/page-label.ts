/** `p. 3`, `pp. 3–4`; empty where there are no pages. */
export function pageLabel({ page, pageEnd }: { readonly page?: number; readonly pageEnd?: number }): string {
  if (page === undefined) return "";
  return pageEnd === undefined ? `p. ${page}` : `pp. ${page}–${pageEnd}`;
}
