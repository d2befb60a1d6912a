import { beginning } from "../text/beginning.ts";
import { splitSentences } from "../text/sentences.ts";
import type { Words } from "../text/words.ts";
import type { Turn } from "../types.ts";
import { overlaps } from "./overlap.ts";

/** Of a turn that is read. */
const CHARACTERS_MAX = 4000;
const PIECES_MAX = 3;
/** Of the best piece's share of the query's words; weaker ones are about something else. */
const SHARE_OF_BEST_MIN = 0.5;
const PIECE_CHARACTERS_MAX = 300;

/** The sentences and table rows of a turn that share most words with the queries, in order; its beginning where none does. */
export function excerptOf({ question, answer }: Turn, queries: readonly string[], words: Words): string {
  const pieces = `${question}\n${answer}`
    .slice(0, CHARACTERS_MAX)
    .split("\n")
    .flatMap((line) => splitSentences(line).map(({ text }) => text.trim()))
    .filter(Boolean);
  const shares = overlaps(queries, pieces, words);
  const best = Math.max(0, ...shares);
  if (best === 0) return cut(pieces.join(" "));
  const kept = shares
    .map((share, i) => ({ share, i }))
    .filter(({ share }) => share >= best * SHARE_OF_BEST_MIN)
    .sort((a, b) => b.share - a.share)
    .slice(0, PIECES_MAX)
    .sort((a, b) => a.i - b.i);
  return kept.map(({ i }) => cut(pieces[i] ?? "")).join(" … ");
}

function cut(text: string): string {
  return text.length <= PIECE_CHARACTERS_MAX ? text : `${beginning(text, PIECE_CHARACTERS_MAX)}…`;
}
