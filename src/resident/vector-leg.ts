import type { Kernels, SharedMemory } from "./kernel.ts";
import type { ScanPart } from "./scan.ts";
import { type RowHit, Top } from "./top.ts";
import { BLOCK_ROWS, type Desk, hasVector, isZero, score, type Vectors, writeDigits, writeInt16 } from "./vectors.ts";

/** Beyond the limit, how many candidates of the float32 scan are scored again: for scores that differ by rounding only. */
const FLOAT_SPARE = 12;
/**
 * The same for int8, whose scores are off by some thousandths: recall@20 is measured in test/resident/vectors.test.ts.
 */
const BYTE_SPARE = 100;

/**
 * The vector leg: cosine of unit vectors, exact. The kernel proposes candidates in float32 or int8; reported is their score in
 * float64, so that it is the same whichever loop found it. Passages without a vector are not found.
 */
export function searchVectors(
  parts: readonly ScanPart[],
  query: Float32Array,
  limit: number,
  kernels: Kernels,
  desk: Desk,
): RowHit[] {
  if (isZero(query)) return [];
  const top = new Top(limit);
  const large: Placed[] = [];
  let first = 0;
  for (const part of parts) {
    const { vectors, rows } = part.arrays;
    if (!vectors) continue;
    if (!vectors.memory) {
      scanPlainly(part, vectors, query, top);
    } else if (vectors.bytes) {
      large.push({ part, vectors, first });
      first += rows.length;
    } else {
      const proposed = new Top(Math.min(limit + FLOAT_SPARE, rows.length));
      propose({ part, vectors, first: 0 }, floatScan(vectors, query, kernels, desk), proposed);
      offerExactly([{ part, vectors, first: 0 }], proposed, query, top);
    }
  }
  if (large.length > 0) scanBytes(large, first, query, limit, kernels, desk, top);
  return top.hits();
}

/** A part among several that share their candidates: its passage i is number `first` + i. */
interface Placed {
  readonly part: ScanPart;
  readonly vectors: Vectors;
  readonly first: number;
}

function scanBytes(
  parts: readonly Placed[],
  passages: number,
  query: Float32Array,
  limit: number,
  kernels: Kernels,
  desk: Desk,
  top: Top,
): void {
  const proposed = new Top(Math.min(limit + BYTE_SPARE, passages));
  for (const placed of parts) propose(placed, byteScan(placed.vectors, query, kernels, desk), proposed);
  offerExactly(parts, proposed, query, top);
}

/** Which of the parts a candidate is in. */
function placeOf(parts: readonly Placed[], position: number): number {
  let at = parts.length - 1;
  while (at > 0 && (parts[at]?.first ?? 0) > position) at--;
  return at;
}

function offerExactly(parts: readonly Placed[], proposed: Top, query: Float32Array, top: Top): void {
  for (const { row, position } of proposed.candidates()) {
    const placed = parts[placeOf(parts, position)];
    if (!placed) continue;
    const { vectors, first } = placed;
    const exact = score(vectors, position - first, query);
    if (exact >= top.floor) top.offer(row, exact);
  }
}

function scanPlainly({ arrays: { rows }, allowed }: ScanPart, vectors: Vectors, query: Float32Array, top: Top): void {
  for (let i = 0; i < rows.length; i++) {
    if (allowed && allowed[i] === 0) continue;
    const exact = score(vectors, i, query);
    if (exact >= top.floor && (exact !== 0 || hasVector(vectors, i))) top.offer(rows[i] as number, exact);
  }
}

/** Finds rows that score `floor` or more; the finds stand in the same place each time. */
interface BlockScan {
  /** Among `count` rows from `from` on. Returns how many it found. */
  find(from: number, count: number, floor: number): number;
  /** Of find i at 2 · i: its place after `from`. */
  readonly places: Int32Array;
  /** Of find i at 2 · i + 1. */
  readonly scores: Float32Array;
}

function propose(placed: Placed, scan: BlockScan, proposed: Top): void {
  const { arrays, allowed } = placed.part;
  const size = arrays.rows.length;
  let from = 0;
  while (from < size) {
    if (allowed && allowed[from] === 0) {
      from++;
      continue;
    }
    const to = endOfRun(allowed, from, Math.min(from + BLOCK_ROWS, size));
    const found = scan.find(from, to - from, proposed.floor);
    if (found > 0) offerFinds(scan, found, from, placed, proposed);
    from = to;
  }
}

function byteScan({ memory, stride, bytes }: Vectors, query: Float32Array, kernels: Kernels, desk: Desk): BlockScan {
  if (!memory || !bytes) throw new Error("no memory to scan");
  const kernel = kernels.on(memory);
  const { codes, scales, sums } = bytes;
  const padded = new Int16Array(memory.buffer, desk.query, stride).fill(0);
  writeInt16(query, padded);
  const digits = new Uint8Array(memory.buffer, desk.query + padded.byteLength, 2 * stride);
  if (kernel.isRelaxed) writeDigits(padded, digits);
  const asked = kernel.isRelaxed ? digits.byteOffset : desk.query;
  return {
    ...findsAt(memory, desk),
    find: (from, count, floor) =>
      kernel.scanBytes(
        asked,
        codes.byteOffset + from * stride,
        count,
        stride,
        scales.byteOffset + 4 * from,
        sums.byteOffset + 4 * from,
        floor,
        desk.finds,
      ),
  };
}

function floatScan({ memory, stride, values }: Vectors, query: Float32Array, kernels: Kernels, desk: Desk): BlockScan {
  if (!memory) throw new Error("no memory to scan");
  const kernel = kernels.on(memory);
  const padded = new Float32Array(memory.buffer, desk.query, stride).fill(0);
  padded.set(query);
  return {
    ...findsAt(memory, desk),
    find: (from, count, floor) =>
      kernel.scanFloats(desk.query, values.byteOffset + 4 * from * stride, count, 4 * stride, floor, desk.finds),
  };
}

function findsAt({ buffer }: SharedMemory, { finds }: Desk): Pick<BlockScan, "places" | "scores"> {
  return {
    places: new Int32Array(buffer, finds, 2 * BLOCK_ROWS),
    scores: new Float32Array(buffer, finds, 2 * BLOCK_ROWS),
  };
}

function offerFinds(
  { places, scores }: BlockScan,
  found: number,
  from: number,
  { part, vectors, first }: Placed,
  proposed: Top,
): void {
  const { rows } = part.arrays;
  let floor = proposed.floor;
  for (let i = 0; i < found; i++) {
    const position = from + (places[2 * i] as number);
    const proposedScore = scores[2 * i + 1] as number;
    if (proposedScore < floor || (proposedScore === 0 && !hasVector(vectors, position))) continue;
    proposed.offer(rows[position] as number, proposedScore, first + position);
    floor = proposed.floor;
  }
}

function endOfRun(allowed: Uint8Array | null, from: number, max: number): number {
  if (!allowed) return max;
  let to = from + 1;
  while (to < max && allowed[to] === 1) to++;
  return to;
}
