import type { Words } from "../text/words.ts";
import type { ScoredPassage } from "../types.ts";
import { corrected } from "./correction.ts";

/** The best passages that are looked at: as many as a prompt usually quotes. */
const PASSAGES = 5;

/**
 * What the search of the question as it was asked found, where its rewritten form would find much the same; else null. A rewrite
 * changes nothing that matters when every search token that it adds stands in each of the five best passages found without it:
 * they are about that already. Words that it drops say nothing of what it is about, unless the question says that something is not asked about.
 */
export async function stillFits<T extends { readonly found: readonly ScoredPassage[] }>(
  ahead: Promise<T | null> | null,
  asked: string,
  query: string,
  words: Words,
): Promise<T | null> {
  if (!ahead || corrected(asked).replaced.length > 0) return null;
  const said = words.ofQuery(asked);
  const added = [...words.ofQuery(query)].filter((token) => !said.has(token));
  const early = await ahead;
  if (!early || early.found.length === 0) return null;
  const best = early.found.slice(0, PASSAGES).map(({ passage }) => words.ofPassage(passage));
  return best.every((tokens) => added.every((token) => tokens.has(token))) ? early : null;
}
