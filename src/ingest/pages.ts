/** From which page to which a text goes, from 1; `pageEnd` only where it is a later one, both absent in formats without pages. */
export interface PageRange {
  readonly page?: number;
  readonly pageEnd?: number;
}

/** Where in a block's text another page begins. */
export interface PageBreak {
  readonly page: number;
  readonly at: number;
}

interface Paged {
  readonly page?: number;
  readonly pageBreaks?: readonly PageBreak[];
}

/** The pages of a stretch of a block's text; `end` is exclusive. */
export function pagesBetween({ page, pageBreaks = [] }: Paged, start: number, end: number): PageRange {
  if (page === undefined) return {};
  const pageAt = (offset: number) => pageBreaks.findLast(({ at }) => at <= offset)?.page ?? page;
  return range(pageAt(start), pageAt(Math.max(start, end - 1)));
}

/** The pages of texts that follow one another. */
export function pagesAcross(parts: readonly PageRange[]): PageRange {
  const first = parts.find(({ page }) => page !== undefined);
  const last = parts.findLast(({ page }) => page !== undefined);
  return first?.page === undefined ? {} : range(first.page, last?.pageEnd ?? last?.page ?? first.page);
}

function range(page: number, pageEnd: number): PageRange {
  return pageEnd > page ? { page, pageEnd } : { page };
}
