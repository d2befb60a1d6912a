import { createWords, type Words } from "../text/words.ts";
import type { PassagePlace, ScoredPassage } from "../types.ts";

/** Of the longer passage's characters the shorter one has at least so many. */
const SHARED_LENGTH_MIN = 0.8;

/** UTF-16 units; a longer text is compared with nothing, since comparing takes time by the length, on every question. */
const TEXT_LENGTH_MAX = 8_000;

/**
 * Collapses passages that say the same in the same words: where one holds all words of another in their order, the longer one stays,
 * at the better one's place, and names the other in `alsoIn`. No statement is lost, and one word that differs (15, 25; not; a date) keeps
 * both. Quadratic in the hits, of which there are tens; linear in their length, which is bounded.
 */
export function collapseDuplicates(found: readonly ScoredPassage[], texts: Words = createWords()): ScoredPassage[] {
  const kept: { hit: ScoredPassage; words: string; also: PassagePlace[] }[] = [];
  for (const hit of found) {
    if (hit.passage.text.length > TEXT_LENGTH_MAX) {
      kept.push({ hit, words: "", also: [...(hit.alsoIn ?? [])] });
      continue;
    }
    const words = texts.compared(hit.passage);
    const twin = kept.find((other) => isSame(words, other.words));
    if (!twin) kept.push({ hit, words, also: [...(hit.alsoIn ?? [])] });
    else if (words.length > twin.words.length) {
      twin.also.push(placeOf(twin.hit));
      twin.hit = { ...hit, score: twin.hit.score };
      twin.words = words;
    } else twin.also.push(placeOf(hit));
  }
  return kept.map(({ hit, also }) => (also.length === 0 ? hit : { ...hit, alsoIn: also }));
}

/** Whether one contains the other. */
function isSame(a: string, b: string): boolean {
  return a.length <= b.length ? isContained(a, b) : isContained(b, a);
}

function isContained(shorter: string, longer: string): boolean {
  return shorter.length >= longer.length * SHARED_LENGTH_MIN && longer.includes(shorter);
}

function placeOf({ passage }: ScoredPassage): PassagePlace {
  const { id, documentId, title, headings, page, pageEnd, url } = passage;
  return {
    passageId: id,
    documentId,
    title,
    headings,
    ...(page !== undefined && { page }),
    ...(pageEnd !== undefined && { pageEnd }),
    ...(url !== undefined && { url }),
  };
}
