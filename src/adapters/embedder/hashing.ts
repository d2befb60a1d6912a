import type { Embedder } from "../../ports/embedder.ts";

export interface HashingOptions {
  /** 256 to 1,024 is sensible; default 512. */
  readonly dimensions?: number;
}

/** Lengths of the n-grams, in characters, of a text whose words are parted by single spaces. */
const GRAM_LENGTHS = [2, 3, 4] as const;

/** Texts are read up to here: characters (UTF-16 code units). */
const TEXT_LENGTH_MAX = 50_000;

/**
 * Hashed character n-grams (feature hashing with signs, Weinberger et al., 2009), each n-gram weighing the root of its count.
 * Knows no meanings, only spelling, in any script: for tests, for near-duplicates, and for languages the static table lacks.
 */
export function createHashingEmbedder({ dimensions = 512 }: HashingOptions = {}): Embedder {
  return {
    model: `hashing/${dimensions}`,
    dimensions,
    embed: async (texts) => texts.map((text) => embedText(text, dimensions)),
  };
}

function embedText(text: string, dimensions: number): Float32Array {
  const counts = new Map<number, number>();
  for (const gram of gramHashes(text)) counts.set(gram, (counts.get(gram) ?? 0) + 1);
  const sum = new Float64Array(dimensions);
  for (const [hash, count] of counts) {
    const place = (hash >>> 1) % dimensions;
    sum[place] = (sum[place] ?? 0) + (hash & 1 ? 1 : -1) * Math.sqrt(count);
  }
  const length = Math.hypot(...sum);
  return Float32Array.from(sum, (value) => (length > 0 ? value / length : 0));
}

/** 32-bit FNV-1a of every n-gram, mixed so that all its bits can be used. */
function* gramHashes(text: string): Generator<number> {
  const words =
    text
      .slice(0, TEXT_LENGTH_MAX)
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  for (const word of words) {
    const spaced = ` ${word} `;
    for (const length of GRAM_LENGTHS) {
      for (let from = 0; from + length <= spaced.length; from++) {
        let hash = 0x811c9dc5;
        for (let i = from; i < from + length; i++) hash = Math.imul(hash ^ spaced.charCodeAt(i), 0x01000193);
        hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
        yield (hash ^ (hash >>> 12)) >>> 0;
      }
    }
  }
}
