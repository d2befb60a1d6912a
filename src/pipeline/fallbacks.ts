import type { Otherwise } from "../run.ts";
import type { ScoredPassage, Session } from "../types.ts";
import type { Past } from "./history.ts";
import type { Rewritten } from "./stages.ts";

/** What is done where a step that the answer can do without fails; readers see it in `degraded`. */
export const FALLBACKS = {
  cache: { fallback: "answered anew", value: null },
  embed: { fallback: "searched by text alone", value: null },
  record: { fallback: "the question was not recorded before its answer", value: undefined },
  save: { fallback: "turn not stored", value: undefined },
  compact: { fallback: "tried again after the next answer", value: false },
} as const;

/** A follow-up with the words that rules carry over. */
export function byRules(value: Rewritten): Otherwise<Rewritten> {
  return { fallback: "rewritten by rules", value };
}

/** The conversation without the older turns that fit the question. */
export function bare(session: Session): Otherwise<Past> {
  return { fallback: "without older turns", value: { session, older: [], facts: [] } };
}

/** The best of search, as it ordered them. */
export function searchOrder(found: readonly ScoredPassage[], keep: number): Otherwise<readonly ScoredPassage[]> {
  return { fallback: "kept the order of search", value: found.slice(0, keep) };
}
