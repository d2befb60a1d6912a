import { saturated } from "./milvus-terms.ts";

/** The words of a passage, where the server cannot compare them. */
export interface ScannedPassage {
  readonly length: number;
  /** Ascending. */
  readonly hashes: Int32Array;
  /** Of the same places: see `packedCount`. */
  readonly counts: Int32Array;
}

/** The passage's length, then pairs of hash and packed count, 32 bits each, in base64. */
export function scannedCounts(counts: ReadonlyMap<number, number>, length: number): string {
  const numbers = Int32Array.from([length, ...[...counts].flat()]);
  return Buffer.from(numbers.buffer).toString("base64");
}

export function readScanned(stored: string): ScannedPassage {
  const bytes = Buffer.from(stored, "base64");
  const size = Math.max(0, Math.floor((bytes.length - 4) / 8));
  const places = Array.from({ length: size }, (_, i) => 4 + 8 * i);
  places.sort((a, b) => bytes.readInt32LE(a) - bytes.readInt32LE(b));
  return {
    length: bytes.length < 4 ? 1 : bytes.readInt32LE(0),
    hashes: Int32Array.from(places, (place) => bytes.readInt32LE(place)),
    counts: Int32Array.from(places, (place) => bytes.readInt32LE(place + 4)),
  };
}

/** Bytes in memory, about. */
export function scannedBytes({ hashes }: ScannedPassage): number {
  return 8 * hashes.length + 400;
}

/** A word's packed count; null: the passage does not hold it. */
export function countOf({ hashes, counts }: ScannedPassage, hash: number): number | null {
  const place = placeOf(hashes, hash);
  return hashes[place] === hash ? (counts[place] ?? 0) : null;
}

/** What a word adds to a passage's score. */
export function termScore(words: ScannedPassage, hash: number, weight: number, averageLength: number): number {
  const count = countOf(words, hash);
  return count === null ? 0 : weight * saturated(count, words.length, averageLength);
}

/** Of the first that is not smaller. */
function placeOf(sorted: Int32Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
