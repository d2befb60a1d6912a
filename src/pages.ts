/** Of one page, as JSON. */
const PAGE_BYTES_MAX = 8 * 1_048_576;
/** What is read first, to know how large things are; and how much more than so far is read next. */
const FIRST_ITEMS = 4;
const GROWTH = 8;

export interface Page<T, C> {
  readonly items: readonly T[];
  /** Of the last item; absent: there are no more. */
  readonly next?: C | undefined;
}

/**
 * A page of at most `limit` items and 8 MiB, though one item at least. It is read in pieces, so that not much more than it holds is
 * ever in memory.
 */
export async function boundedPage<T, C>(
  limit: number,
  after: C | undefined,
  cursorOf: (item: T) => C,
  read: (after: C | undefined, limit: number) => Promise<Page<T, C>>,
): Promise<Page<T, C>> {
  const items: T[] = [];
  let bytes = 0;
  let next = after;
  let piece = FIRST_ITEMS;
  do {
    const page = await read(next, Math.min(piece, limit - items.length));
    for (const item of page.items) {
      const last = items.at(-1);
      bytes += jsonBytes(item);
      if (last !== undefined && bytes > PAGE_BYTES_MAX) return { items, next: cursorOf(last) };
      items.push(item);
    }
    next = page.next;
    const room = Math.floor(((PAGE_BYTES_MAX - bytes) * items.length) / Math.max(1, bytes));
    piece = Math.max(1, Math.min(room, GROWTH * items.length));
  } while (next !== undefined && items.length < limit);
  return { items, next };
}

/** The last of these items that fit on a page, the very last at least. */
export function latestThatFit<T>(items: readonly T[]): readonly T[] {
  let bytes = 0;
  let from = items.length;
  for (; from > 0; from--) {
    bytes += jsonBytes(items[from - 1]);
    if (bytes > PAGE_BYTES_MAX && from < items.length) break;
  }
  return items.slice(from);
}

function jsonBytes(item: unknown): number {
  return Buffer.byteLength(JSON.stringify(item));
}
