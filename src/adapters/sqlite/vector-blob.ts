/** A vector as it is stored. A copy where it is part of something larger, all of which would be posted to the writer. */
export function bytes(vector: Float32Array): Uint8Array {
  const whole = vector.byteLength === vector.buffer.byteLength ? vector : vector.slice();
  return new Uint8Array(whole.buffer);
}

/** A BLOB may start at any address; floats need one divisible by four. */
export function floats(blob: Uint8Array): Float32Array {
  return blob.byteOffset % 4 === 0
    ? new Float32Array(blob.buffer, blob.byteOffset, blob.length / 4)
    : new Float32Array(blob.slice().buffer);
}
