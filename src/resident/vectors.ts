import { allocateShared, type SharedMemory } from "./kernel.ts";

/** Vectors of a segment's passages, one after the other; all zeros where a passage has none. Visible to every thread. */
export interface Vectors {
  readonly dimensions: number;
  /** Values from one vector to the next: the dimensions, padded with zeros for the kernel. */
  readonly stride: number;
  /** Empty where they are kept in `bytes`. */
  readonly values: Float32Array;
  /** What the kernel works on: desks, then the vectors; null: plain loops. */
  readonly memory: SharedMemory | null;
  readonly bytes: ByteVectors | null;
}

/**
 * Vectors in three bytes a value, value = (65,536 · code + rest) · scale / 65,536. The scan reads the codes alone, and only proposes.
 * The scale is a power of two, so that float32 holds every such value exactly: see `setVector`.
 */
export interface ByteVectors {
  /** `stride` bytes a vector. */
  readonly codes: Int8Array;
  /** `stride` of them a vector. */
  readonly rests: Int16Array;
  /** One a vector. */
  readonly scales: Float32Array;
  /** Of each vector's codes. */
  readonly sums: Int32Array;
}

/** A thread's own corner of a segment's memory, by the thread's number: the query, and room for the finds of a block. */
export interface Desk {
  readonly query: number;
  readonly finds: number;
}

const DIMENSIONS_MAX = 4096;
/** Threads that can scan one memory at a time. */
export const DESKS = 4;
/** Rows scored between two looks at what was found. */
export const BLOCK_ROWS = 1024;
const DESK_BYTES = 4 * DIMENSIONS_MAX + 8 * BLOCK_ROWS;
/** The kernel's steps are so many numbers long, or half as many. */
const STEP = 32;
/** Fewer vectors are not worth a WebAssembly memory, which takes gigabytes of address space. */
const KERNEL_ROWS_MIN = 128;
/** From so many vectors on the scan is bound by memory: int8 reads a quarter. */
export const BYTES_ROWS_MIN = 2048;
/** In a code: what is left of a value is at most half a code. */
const RESTS = 65_536;
const CODE_MAX = 127;
/** Of unit vectors no largest value is nearly so small. */
const SCALE_MIN = 2 ** -60;
/** The largest of which 4,096 products with int8 cannot pass 2^31. */
const QUERY_CODE_MAX = 4095;
/** Bytes in a vector register. */
const LANES = 16;
/** Addresses in WebAssembly have 32 bits. */
const MEMORY_BYTES_MAX = 4e9;

export function deskOf(thread: number): Desk {
  const query = (thread % DESKS) * DESK_BYTES;
  return { query, finds: query + 4 * DIMENSIONS_MAX };
}

/** How many vectors of so many dimensions fit into one segment. */
export function rowsMax(dimensions: number): number {
  return Math.floor((MEMORY_BYTES_MAX - DESKS * DESK_BYTES) / (3 * strideOf(dimensions) + 8));
}

/** Room for so many vectors, all zeros. */
export function allocateVectors(rows: number, dimensions: number): Vectors {
  const stride = strideOf(dimensions);
  const start = DESKS * DESK_BYTES;
  const values = rows * stride;
  const isLarge = rows >= BYTES_ROWS_MIN;
  const size = isLarge ? 3 * values + 8 * rows : 4 * values;
  const memory = rows >= KERNEL_ROWS_MIN ? allocateShared(start + size) : null;
  if (!memory) {
    const plain = new Float32Array(new SharedArrayBuffer(rows * dimensions * 4));
    return { dimensions, stride: dimensions, values: plain, memory: null, bytes: null };
  }
  const { buffer } = memory;
  if (!isLarge) return { dimensions, stride, values: new Float32Array(buffer, start, values), memory, bytes: null };
  const bytes = {
    codes: new Int8Array(buffer, start, values),
    rests: new Int16Array(buffer, start + values, values),
    scales: new Float32Array(buffer, start + 3 * values, rows),
    sums: new Int32Array(buffer, start + 3 * values + 4 * rows, rows),
  };
  return { dimensions, stride, values: new Float32Array(0), memory, bytes };
}

/** A copy, or a part of `values`. */
export function vectorAt({ values, bytes, stride, dimensions }: Vectors, row: number): Float32Array {
  const from = row * stride;
  if (!bytes) return values.subarray(from, from + dimensions);
  const { codes, rests, scales } = bytes;
  const scale = scales[row] as number;
  const vector = new Float32Array(dimensions);
  for (let i = 0; i < dimensions; i++) {
    vector[i] = ((codes[from + i] as number) * RESTS + (rests[from + i] as number)) * (scale / RESTS);
  }
  return vector;
}

/**
 * Rounds each value to a multiple of 2^-16 of the scale, which is at most 2^-23 of the vector's largest value, whichever way vectors are
 * kept, and values that are rounded already to themselves: scores are the same to the bit in a small segment, a large one, and one merged of both.
 */
export function setVector({ values, bytes, stride }: Vectors, row: number, vector: Float32Array): void {
  const at = row * stride;
  const most = largest(vector);
  const scale = scaleOf(most);
  const unit = scale / RESTS;
  const perUnit = RESTS / scale;
  let sum = 0;
  for (let i = 0; i < vector.length; i++) {
    const units = Math.floor((vector[i] as number) * perUnit + 0.5);
    if (bytes) {
      const code = (units + RESTS / 2) >> 16;
      bytes.codes[at + i] = code;
      bytes.rests[at + i] = units - code * RESTS;
      sum += code;
    } else {
      values[at + i] = units * unit;
    }
  }
  if (!bytes) return;
  bytes.scales[row] = most === 0 ? 0 : scale;
  bytes.sums[row] = sum;
}

/** The least power of two that goes into a vector's largest value 127 times at most. */
function scaleOf(most: number): number {
  const least = Math.max(most / CODE_MAX, SCALE_MIN);
  let scale = 2 ** Math.ceil(Math.log2(least));
  // Logarithms are rounded.
  while (scale < least) scale *= 2;
  while (scale / 2 >= least) scale /= 2;
  return scale;
}

/** Whether the passage has a vector: no unit vector is all zeros. */
export function hasVector({ values, bytes, stride, dimensions }: Vectors, row: number): boolean {
  if (bytes) return bytes.scales[row] !== 0;
  const from = row * stride;
  for (let i = from; i < from + dimensions; i++) if (values[i] !== 0) return true;
  return false;
}

/** Of the vector with a query, in float64: the score that a search reports. */
export function score({ values, bytes, stride }: Vectors, row: number, query: Float32Array): number {
  return bytes ? dotBytes(bytes, row, row * stride, query) : dot(values, row * stride, query);
}

/** The query as the int8 scan wants it; the factor is left out, since it changes no order. */
export function writeInt16(query: Float32Array, to: Int16Array): void {
  const scale = largest(query) / QUERY_CODE_MAX;
  for (let i = 0; i < query.length; i++) to[i] = Math.round((query[i] as number) / scale);
}

/** The same in two digits: see kernel-relaxed.wat. */
export function writeDigits(codes: Int16Array, to: Uint8Array): void {
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    const at = 2 * i - (i % LANES);
    to[at] = (code >> 6) + 64;
    to[at + LANES] = code & 63;
  }
}

/** Several sums, so that additions need not wait for each other. */
function dot(values: Float32Array, from: number, query: Float32Array): number {
  const length = query.length;
  const whole = length - (length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < whole; i += 4) {
    a += (values[from + i] as number) * (query[i] as number);
    b += (values[from + i + 1] as number) * (query[i + 1] as number);
    c += (values[from + i + 2] as number) * (query[i + 2] as number);
    d += (values[from + i + 3] as number) * (query[i + 3] as number);
  }
  for (let i = whole; i < length; i++) a += (values[from + i] as number) * (query[i] as number);
  return a + b + c + d;
}

/** As `dot` of what float32 would hold: in the same order, and the factor is a power of two. */
function dotBytes({ codes, rests, scales }: ByteVectors, row: number, from: number, query: Float32Array): number {
  const length = query.length;
  const whole = length - (length % 4);
  const value = (at: number) => (codes[at] as number) * RESTS + (rests[at] as number);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < whole; i += 4) {
    const at = from + i;
    a += value(at) * (query[i] as number);
    b += value(at + 1) * (query[i + 1] as number);
    c += value(at + 2) * (query[i + 2] as number);
    d += value(at + 3) * (query[i + 3] as number);
  }
  for (let i = whole; i < length; i++) a += value(from + i) * (query[i] as number);
  return (a + b + c + d) * ((scales[row] as number) / RESTS);
}

export function isZero(vector: Float32Array): boolean {
  for (let i = 0; i < vector.length; i++) if (vector[i] !== 0) return false;
  return true;
}

function largest(vector: Float32Array): number {
  let found = 0;
  for (let i = 0; i < vector.length; i++) found = Math.max(found, Math.abs(vector[i] as number));
  return found;
}

function strideOf(dimensions: number): number {
  return Math.ceil(dimensions / STEP) * STEP;
}
