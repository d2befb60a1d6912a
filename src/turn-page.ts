import type { TurnPage } from "./api.ts";
import type { Turn } from "./types.ts";

/** Of turns that were asked for with one more than the page takes: the page, and where the next begins. */
export function turnPage(found: readonly Turn[], limit: number): TurnPage {
  const turns = found.slice(0, limit);
  const last = turns.at(-1);
  return found.length > limit && last ? { turns, next: last.number } : { turns };
}
