import type { Place } from "./milvus-messages.ts";
import { placeOfPassage } from "./milvus-rows.ts";
import type { MilvusReading } from "./milvus-versions.ts";

/** A passage that was found, as it is told from others; whether it may be shown is another question. */
export interface Hit {
  readonly id: string;
  readonly document: string;
  readonly generation: string;
  readonly ordinal: number;
  readonly score: number;
}

/** Where and how one leg searches. */
export interface LegSearch {
  /** Milvus's collection of passages. */
  readonly collection: string;
  readonly filter: string;
  readonly isStrong: boolean;
  /** Hits, at most. */
  readonly limit: number;
  /** Whether the filter may leave few rows. */
  readonly isFiltered: boolean;
  readonly reading: MilvusReading;
}

/** Digits of a score that servers agree on. */
export const SCORE_UNITS = 1e6;

/** Best first; equal ones in the order of their documents, and within them. */
export function inOrder(places: readonly Place[], limit: number): Place[] {
  const units = ({ score }: Place) => Math.round(score * SCORE_UNITS);
  const compared = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const ordinal = ({ id }: Place) => placeOfPassage(id).ordinal;
  return [...places]
    .sort((a, b) => units(b) - units(a) || compared(a.document, b.document) || ordinal(a) - ordinal(b))
    .slice(0, limit);
}

export function toHit({ id, document, score }: Place): Hit {
  return { ...placeOfPassage(id), id, document, score };
}
