import { endianness } from "node:os";

const IS_LITTLE_ENDIAN = endianness() === "LE";

/** Vectors one after the other as little-endian float32. */
export function packed(vectors: readonly Float32Array[]): Uint8Array {
  const [only] = vectors;
  if (vectors.length === 1 && only) return bytesOf(only);
  const all = new Float32Array(vectors.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const vector of vectors) {
    all.set(vector, at);
    at += vector.length;
  }
  return bytesOf(all);
}

/** The vectors of `dimensions` values each; what is left over makes a shorter one. */
export function unpacked(bytes: Uint8Array, dimensions: number): Float32Array[] {
  const size = Math.max(1, dimensions) * 4;
  const vectors: Float32Array[] = [];
  for (let at = 0; at < bytes.length; at += size) vectors.push(unpackedOne(bytes.subarray(at, at + size)));
  return vectors;
}

/** A copy: what arrives is part of a larger buffer, at any address. */
export function unpackedOne(bytes: Uint8Array): Float32Array {
  const own = new Uint8Array(bytes.length - (bytes.length % 4));
  own.set(bytes.subarray(0, own.length));
  if (!IS_LITTLE_ENDIAN) Buffer.from(own.buffer).swap32();
  return new Float32Array(own.buffer);
}

/** Whether every value is a number: what is not would make every score of it none. */
export function hasNumbers(vector: Float32Array): boolean {
  return vector.every(Number.isFinite);
}

function bytesOf(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return IS_LITTLE_ENDIAN ? bytes : Buffer.from(bytes).swap32();
}
