import type { Passage } from "../../types.ts";
import { Remembered } from "./remembered.ts";

/** Some 20 MB of passages of a usual length. */
const PASSAGES_MAX = 10_000;
/** Of their texts, in UTF-16 units: long ones are fewer. */
const CHARACTERS_MAX = 20_000_000;

/** Passages that were read from an engine, by a key that names one text for ever. */
export function recentPassages<Key>(): Remembered<Key, Passage> {
  return recentBy((passage) => passage);
}

/** The same of what is kept with them. */
export function recentBy<Key, T>(passageOf: (kept: T) => Passage): Remembered<Key, T> {
  return new Remembered({
    weightMax: CHARACTERS_MAX,
    weightOf: (kept) => passageOf(kept).text.length,
    countMax: PASSAGES_MAX,
  });
}
