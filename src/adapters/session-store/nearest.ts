import { dot } from "../../statistics.ts";

/** The `limit` vectors nearest to `query` by dot product, best first. Vectors of another length are passed over. */
export function nearest(
  query: Float32Array,
  candidates: Iterable<{ readonly number: number; readonly vector: Uint8Array }>,
  limit: number,
): { number: number; score: number }[] {
  const scored: { number: number; score: number }[] = [];
  for (const { number, vector } of candidates) {
    if (vector.byteLength !== query.byteLength) continue;
    scored.push({ number, score: dot(query, toVector(vector)) });
  }
  return scored.sort((a, b) => b.score - a.score || a.number - b.number).slice(0, limit);
}

/** Little-endian float32, as every platform that runs Node has it. */
export function toBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

function toVector(bytes: Uint8Array): Float32Array {
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
