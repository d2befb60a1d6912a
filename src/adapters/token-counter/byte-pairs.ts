/** A power of two, some 2.5 times the tokens of the largest vocabulary. */
const SLOTS = 2 ** 19;
const BYTES_FIRST = 1024;
const NO_TOKEN = 0xffff_ffff;
/** FNV-1a's. */
const HASH_START = 0x811c_9dc5;
const HASH_PRIME = 0x0100_0193;

/** A vocabulary in one run of bytes: of each token, by rank, its length and its bytes. */
export function packTokens(tokens: readonly (string | readonly number[])[]): Uint8Array {
  return Buffer.concat(
    tokens.map((token) => {
      const bytes = typeof token === "string" ? Buffer.from(token) : Uint8Array.from(token);
      return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
    }),
  );
}

/**
 * Counts by byte pair encoding, over the packed vocabulary and a hash table of 2 MB: as strings in a `Map`, 200,000 tokens take five times
 * as much. Where a token stands in the vocabulary serves as its rank.
 */
export class BytePairs {
  readonly #vocabulary: Uint8Array;
  /** One more than where a token stands; 0: none. */
  readonly #slots = new Uint32Array(SLOTS);
  #bytes = new Uint8Array(BYTES_FIRST);
  /** Where the parts of a piece begin, and the rank of each with the next one. */
  #starts = new Uint32Array(BYTES_FIRST + 1);
  #ranks = new Uint32Array(BYTES_FIRST + 1);

  constructor(vocabulary: Uint8Array) {
    this.#vocabulary = vocabulary;
    for (let at = 0; at < vocabulary.length; at += 1 + (vocabulary[at] as number)) {
      const from = at + 1;
      let slot = slotOf(vocabulary, from, from + (vocabulary[at] as number));
      while (this.#slots[slot] !== 0) slot = (slot + 1) % SLOTS;
      this.#slots[slot] = at + 1;
    }
  }

  /** Tokens of one piece of a text, as the encoding splits it. Quadratic in its length. */
  count(text: string, from: number, to: number): number {
    const size = this.#encode(text, from, to);
    if (size < 2 || this.#rank(0, size) !== NO_TOKEN) return Math.min(size, 1);
    const [starts, ranks] = [this.#starts, this.#ranks];
    let parts = size;
    for (let i = 0; i <= size; i++) {
      starts[i] = i;
      ranks[i] = i + 2 <= size ? this.#rank(i, i + 2) : NO_TOKEN;
    }
    for (;;) {
      let least = 0;
      for (let i = 1; i < parts; i++) if ((ranks[i] as number) < (ranks[least] as number)) least = i;
      if (ranks[least] === NO_TOKEN) return parts;
      starts.copyWithin(least + 1, least + 2, parts + 1);
      ranks.copyWithin(least + 1, least + 2, parts + 1);
      parts--;
      for (let i = Math.max(0, least - 1); i <= least; i++) {
        ranks[i] = i + 2 <= parts ? this.#rank(starts[i] as number, starts[i + 2] as number) : NO_TOKEN;
      }
    }
  }

  /** Of a part of the piece that was encoded last. */
  #rank(from: number, to: number): number {
    const [bytes, vocabulary] = [this.#bytes, this.#vocabulary];
    const size = to - from;
    for (let slot = slotOf(bytes, from, to); ; slot = (slot + 1) % SLOTS) {
      const at = this.#slots[slot] as number;
      if (at === 0) return NO_TOKEN;
      if (vocabulary[at - 1] !== size) continue;
      let same = 0;
      while (same < size && vocabulary[at + same] === bytes[from + same]) same++;
      if (same === size) return at;
    }
  }

  /** In UTF-8, a lone half of a surrogate pair as U+FFFD. By hand: pieces are so short that a call of `TextEncoder` costs more. */
  #encode(text: string, from: number, to: number): number {
    this.#reserve(3 * (to - from));
    const bytes = this.#bytes;
    let size = 0;
    for (let i = from; i < to; i++) {
      let code = text.codePointAt(i) as number;
      if (code < 0x80) {
        bytes[size++] = code;
        continue;
      }
      if (code > 0xffff) i++;
      else if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
      if (code < 0x800) bytes[size++] = 0xc0 | (code >> 6);
      else {
        if (code < 0x1_0000) bytes[size++] = 0xe0 | (code >> 12);
        else {
          bytes[size++] = 0xf0 | (code >> 18);
          bytes[size++] = 0x80 | ((code >> 12) & 63);
        }
        bytes[size++] = 0x80 | ((code >> 6) & 63);
      }
      bytes[size++] = 0x80 | (code & 63);
    }
    return size;
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    this.#bytes = new Uint8Array(size);
    this.#starts = new Uint32Array(size + 1);
    this.#ranks = new Uint32Array(size + 1);
  }
}

function slotOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = HASH_START;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), HASH_PRIME);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}
