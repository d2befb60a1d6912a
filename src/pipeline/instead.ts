import type { ScoredPassage, Session } from "../types.ts";
import type { Past } from "./history.ts";

/** What is done where a step that the answer can do without fails; readers see it in `degraded`. */
export const INSTEAD = {
  cache: { instead: "answered anew", value: null },
  embed: { instead: "searched by text alone", value: null },
  record: { instead: "the question was not recorded before its answer", value: undefined },
  save: { instead: "turn not stored", value: undefined },
  compact: { instead: "tried again after the next answer", value: false },
} as const;

/** The conversation without the older turns that fit the question. */
export function bare(session: Session): { readonly instead: string; readonly value: Past } {
  return { instead: "without older turns", value: { session, older: [], facts: [] } };
}

/** The best of search, as it ordered them. */
export function searchOrder(
  found: readonly ScoredPassage[],
  keep: number,
): { readonly instead: string; readonly value: readonly ScoredPassage[] } {
  return { instead: "kept the order of search", value: found.slice(0, keep) };
}
