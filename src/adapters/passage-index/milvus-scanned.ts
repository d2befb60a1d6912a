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
  const numbers = new Int32Array(Math.ceil(Buffer.byteLength(stored, "base64") / 4));
  Buffer.from(numbers.buffer).write(stored, "base64");
  const size = Math.max(0, (numbers.length - 1) >> 1);
  // Hash and count in one number: sorted natively, and exact below 2 ** 53.
  const pairs = new Float64Array(size);
  for (let i = 0; i < size; i++) pairs[i] = (numbers[2 * i + 1] as number) * COUNTS + (numbers[2 * i + 2] as number);
  pairs.sort();
  const words = new Int32Array(2 * size);
  for (let i = 0; i < size; i++) {
    const pair = pairs[i] as number;
    const hash = Math.floor(pair / COUNTS);
    words[i] = hash;
    words[size + i] = pair - hash * COUNTS;
  }
  return { length: numbers[0] ?? 1, hashes: words.subarray(0, size), counts: words.subarray(size) };
}

/** More than any packed count. */
const COUNTS = 2 ** 21;

/** Bytes in memory, about. */
export function scannedBytes({ hashes }: ScannedPassage): number {
  return 8 * hashes.length + 400;
}

/** A word's packed count; null: the passage does not hold it. */
export function countOf({ hashes, counts }: ScannedPassage, hash: number): number | null {
  const place = placeOf(hashes, hash);
  return hashes[place] === hash ? (counts[place] ?? 0) : null;
}

/** Of the first that is not smaller. Hashes are spread evenly: it is near where its value would have it. */
function placeOf(sorted: Int32Array, value: number): number {
  const size = sorted.length;
  let place = Math.floor(((value + 2 ** 31) / 2 ** 32) * size);
  while (place > 0 && (sorted[place - 1] as number) >= value) place--;
  while (place < size && (sorted[place] as number) < value) place++;
  return place;
}
