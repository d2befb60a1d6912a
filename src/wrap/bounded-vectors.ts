/** What an entry takes beside its text and its values: the map's slot, the objects' heads. */
const OVERHEAD_BYTES = 200;

/** Vectors by text; the least recently used go when all together would take more than `bytesMax`. */
export class BoundedVectors {
  readonly #bytesMax: number;
  /** A Map keeps the order of insertion: the first is the least recently used. */
  readonly #vectors = new Map<string, Float32Array>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A copy, or null. */
  find(text: string): Float32Array | null {
    const vector = this.#vectors.get(text);
    if (!vector) return null;
    this.#vectors.delete(text);
    this.#vectors.set(text, vector);
    return vector.slice();
  }

  put(text: string, vector: Float32Array): void {
    const bytes = bytesOf(text, vector);
    if (bytes > this.#bytesMax) return;
    this.#remove(text);
    this.#vectors.set(text, vector.slice());
    this.#bytes += bytes;
    for (const [oldest] of this.#vectors) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#remove(oldest);
    }
  }

  #remove(text: string): void {
    const vector = this.#vectors.get(text);
    if (!vector) return;
    this.#vectors.delete(text);
    this.#bytes -= bytesOf(text, vector);
  }
}

function bytesOf(text: string, vector: Float32Array): number {
  return 2 * text.length + vector.byteLength + OVERHEAD_BYTES;
}
