import type { SearchResult } from "../../ports/passage-index.ts";
import type { Passage, ScoredPassage } from "../../types.ts";
import { type Hit, toHit } from "./milvus-hits.ts";
import type { Place } from "./milvus-messages.ts";
import { KINDS, type StoredRecord } from "./milvus-records.ts";
import { listOf } from "./milvus-values.ts";

/** By the clocks of two processes. */
const JUST_WRITTEN_MS = 60_000;

/** What the legs of one search found, whether it may be shown or not. */
export interface Found {
  readonly byText: readonly Place[];
  readonly byVector: readonly Place[];
}

/** Which generation a document was of at some time in this search; undefined: it was none. */
export type Known = Map<string, string | undefined>;

export function resultOf({ byText, byVector }: Found, passages: ReadonlyMap<string, Passage>): SearchResult {
  const scored = (hits: readonly Place[]): ScoredPassage[] =>
    hits.flatMap(({ id, score }) => {
      const passage = passages.get(id);
      return passage ? [{ passage, score }] : [];
    });
  return { byText: scored(byText), byVector: scored(byVector) };
}

export function hitsOf({ byText, byVector }: Found): Hit[] {
  return [...byText, ...byVector].map(toHit);
}

/** Of documents that were looked up, the version that was current then: it stays readable while it is over. */
export function ofKnownVersions(known: Known): string {
  if (known.size === 0) return "";
  const current = [...known.values()].filter((generation) => generation !== undefined);
  const isOther = `document not in ${listOf([...known.keys()])}`;
  return current.length === 0 ? ` and ${isOther}` : ` and (${isOther} or generation in ${listOf(current)})`;
}

/** Notes which versions are current. Returns whether the hits are of them, and were all there when they were found. */
export function noteVersions(
  part: string,
  found: Found,
  current: ReadonlyMap<string, StoredRecord>,
  known: Known,
): boolean {
  let isSettled = true;
  for (const { document, generation } of hitsOf(found)) {
    if (!known.has(document)) {
      const record = current.get(`${part}:${KINDS.document}:${document}`);
      known.set(document, record?.generation);
      // It came in several requests, of which not all may have been there.
      if (record?.at && record.at > Date.now() - JUST_WRITTEN_MS) isSettled = false;
    }
    if (known.get(document) !== generation) isSettled = false;
  }
  return isSettled;
}
