import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { kernelCode } from "../../scripts/kernel-code.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { hasKernel, hasRelaxedKernel, Kernels } from "../../src/resident/kernel.ts";
import type { ScanPart } from "../../src/resident/scan.ts";
import type { RowHit } from "../../src/resident/top.ts";
import { searchVectors } from "../../src/resident/vector-leg.ts";
import {
  allocateVectors,
  BLOCK_ROWS,
  BYTES_ROWS_MIN,
  deskOf,
  score,
  setVector,
  type Vectors,
  vectorAt,
  writeDigits,
  writeInt16,
} from "../../src/resident/vectors.ts";

const SHARED = process.env.RAGLINE_SHARED ?? resolve(import.meta.dirname, "../../../shared");
const CORPUS = `${SHARED}/data/law_ko/corpus.jsonl`;

const partOf = (all: readonly Float32Array[], into: Vectors, allowed: Uint8Array | null = null): ScanPart => {
  for (const [row, vector] of all.entries()) setVector(into, row, vector);
  const none = new Uint32Array(0);
  const postings = { terms: none, starts: none, ends: none, passages: new Uint16Array(0), counts: new Uint8Array(0) };
  const rows = Float64Array.from(all.keys());
  return {
    arrays: { rows, lengths: new Uint32Array(all.length), postings, vectors: into },
    allowed,
    places: new Int32Array(0),
  };
};
const plain = (rows: number, dimensions: number): Vectors => ({
  dimensions,
  stride: dimensions,
  values: new Float32Array(rows * dimensions),
  memory: null,
  bytes: null,
});
const kernels = new Kernels();
const found = (part: ScanPart, query: Float32Array, limit = 20) =>
  searchVectors([part], query, limit, kernels, deskOf(1));

/** Straight from the definition, in float64. */
function bruteForce(all: readonly Float32Array[], query: Float32Array, allowed: Uint8Array | null = null): RowHit[] {
  return all
    .map((vector, row) => {
      let score = 0;
      for (let i = 0; i < vector.length; i++) score += (vector[i] ?? 0) * (query[i] ?? 0);
      return { row, score };
    })
    .filter(({ row }) => allowed?.[row] !== 0)
    .sort((a, b) => b.score - a.score || a.row - b.row);
}

/** Of scores, as vectors are kept rounded: what float32 would round a score of 1 by is 6e-8. */
const ROUNDING = 1e-7;

/** The same scores in the same places; rows may differ only where scores are equal up to rounding. */
function expectSame(hits: readonly RowHit[], expected: readonly RowHit[], rounding = 1e-9): void {
  expect(hits.length).toBe(expected.length);
  const scores = new Map(expected.map(({ row, score }) => [row, score]));
  for (const [i, hit] of hits.entries()) {
    const wanted = expected[i]?.score ?? Number.NaN;
    if (Math.abs(hit.score - wanted) > rounding) expect(hit).toEqual(expected[i]);
    const own = scores.get(hit.row);
    if (
      own === undefined
        ? Math.abs(hit.score - (expected.at(-1)?.score ?? 0)) > rounding
        : Math.abs(hit.score - own) > rounding
    )
      expect(hit).toEqual(expected[i]);
  }
}

function randomVectors(count: number, dimensions: number, seed: number): Float32Array[] {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Array.from({ length: count }, () => {
    const vector = Float32Array.from({ length: dimensions }, () => random() + random() + random());
    const norm = Math.hypot(...vector);
    return vector.map((value) => value / norm);
  });
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);

/** Straight from the kernel: place and score of each row of the first block. */
function byteScores({ arrays: { vectors } }: ScanPart, query: Float32Array, isRelaxed: boolean): number[][] {
  if (!vectors?.memory || !vectors.bytes) throw new Error("no int8 vectors");
  const { memory, stride, bytes } = vectors;
  const desk = deskOf(1);
  const codes = new Int16Array(memory.buffer, desk.query, stride).fill(0);
  writeInt16(query, codes);
  const digits = desk.query + codes.byteLength;
  writeDigits(codes, new Uint8Array(memory.buffer, digits, 2 * stride));
  const found = new Kernels(isRelaxed)
    .on(memory)
    .scanBytes(
      isRelaxed ? digits : desk.query,
      bytes.codes.byteOffset,
      BLOCK_ROWS,
      stride,
      bytes.scales.byteOffset,
      bytes.sums.byteOffset,
      0.01,
      desk.finds,
    );
  const places = new Int32Array(memory.buffer, desk.finds, 2 * found);
  const scores = new Float32Array(memory.buffer, desk.finds, 2 * found);
  return Array.from({ length: found }, (_, i) => [places[2 * i] ?? -1, scores[2 * i + 1] ?? Number.NaN]);
}

/** The same from the definition. */
function byteScoresPlainly({ arrays: { vectors } }: ScanPart, query: Float32Array): number[][] {
  if (!vectors?.bytes) throw new Error("no int8 vectors");
  const { stride, bytes } = vectors;
  const codes = new Int16Array(stride);
  writeInt16(query, codes);
  return Array.from({ length: BLOCK_ROWS }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < stride; i++) sum += (codes[i] ?? 0) * (bytes.codes[row * stride + i] ?? 0);
    return [row, Math.fround(Math.fround(sum) * (bytes.scales[row] ?? 0))];
  }).filter(([, score = 0]) => score >= Math.fround(0.01));
}

test("kernel-code.ts is kernel.wat and kernel-relaxed.wat assembled", async () => {
  const file = resolve(import.meta.dirname, "../../src/resident/kernel-code.ts");
  expect(readFileSync(file, "utf8")).toBe(await kernelCode());
  expect(hasKernel).toBe(true);
  expect(hasRelaxedKernel).toBe(true);
});

describe("the vector scan", () => {
  test.each([
    ["float32", 500],
    ["int8, scored again", BYTES_ROWS_MIN + 50],
  ])("equals float64 brute force in 1,000 random queries: %s", (_, rows) => {
    const all = randomVectors(rows, 40, 7);
    const part = partOf(all, allocateVectors(rows, 40));
    for (const query of randomVectors(1000, 40, 11))
      expectSame(found(part, query), bruteForce(all, query).slice(0, 20), ROUNDING);
  });

  describe.each([3, 40, 384])("vectors of %i dimensions", (dimensions) => {
    const all = randomVectors(BYTES_ROWS_MIN, dimensions, 13);
    all[1] = new Float32Array(dimensions);
    all[2] = Float32Array.from({ length: dimensions }, (_, i) => (i === 0 ? -1 : 0));
    const large = partOf(all, allocateVectors(all.length, dimensions)).arrays.vectors;

    test("come back to within half of a code's 65,536th, and once more as they are", () => {
      const once = all.map((_, row) => vectorAt(large ?? plain(0, dimensions), row));
      expect(large?.values).toHaveLength(0);
      for (const [row, vector] of all.entries()) {
        const most = Math.max(...vector.map(Math.abs)) / (127 * 65_536);
        const errors = Array.from(vector, (value, i) => Math.abs((once[row]?.[i] ?? Number.NaN) - value));
        expect(Math.max(...errors)).toBeLessThanOrEqual(most);
      }
      const again = partOf(once, allocateVectors(all.length, dimensions)).arrays.vectors;
      const differs = (vector: Float32Array, row: number) =>
        !bytesOf(vectorAt(again ?? plain(0, dimensions), row)).equals(bytesOf(vector));
      expect(once.findIndex(differs)).toBe(-1);
    });

    test("score the same to the bit however they are kept", () => {
      if (!large) throw new Error("no vectors");
      const some = all.slice(0, 200);
      const small = partOf(some, allocateVectors(some.length, dimensions)).arrays.vectors;
      const plainly = partOf(some, plain(some.length, dimensions)).arrays.vectors;
      expect([small?.bytes, small?.memory === null, plainly?.memory]).toEqual([null, false, null]);
      for (const query of randomVectors(20, dimensions, 17)) {
        const scores = (vectors: Vectors | null | undefined) =>
          some.map((_, row) => vectors && score(vectors, row, query));
        expect(scores(small)).toEqual(scores(large));
        expect(scores(plainly)).toEqual(scores(large));
      }
    });
  });

  test.each([1, 3, 15, 16, 17, 100, 384, 1023, 4096])(
    "%i dimensions: kernel and plain loops find the same",
    (dimensions) => {
      const rows = dimensions > 1000 ? 200 : 1100;
      const all = randomVectors(rows, dimensions, dimensions);
      const [fast, slow] = [partOf(all, allocateVectors(rows, dimensions)), partOf(all, plain(rows, dimensions))];
      expect(fast.arrays.vectors?.memory).not.toBeNull();
      for (const query of randomVectors(10, dimensions, 99)) expectSame(found(fast, query), found(slow, query));
    },
  );

  test.each([1, 33, 384, 4096])(
    "%i dimensions: with and without relaxed SIMD int8 scores are equal to the bit",
    (dimensions) => {
      const rows = BYTES_ROWS_MIN;
      const part = partOf(randomVectors(rows, dimensions, 21), allocateVectors(rows, dimensions));
      for (const query of randomVectors(5, dimensions, 23)) {
        const [relaxed, plainSimd] = [true, false].map((isRelaxed) => byteScores(part, query, isRelaxed));
        expect(relaxed).toEqual(plainSimd);
        expect(relaxed).toEqual(byteScoresPlainly(part, query));
      }
    },
  );

  test.each([1, 2, 20, 700, 2999, 3000])("%i of 3,000 rows allowed", (count) => {
    const all = randomVectors(3000, 32, 5);
    const allowed = new Uint8Array(3000);
    for (let i = 0; i < count; i++) allowed[(i * 1117) % 3000] = 1;
    const part = partOf(all, allocateVectors(3000, 32), allowed);
    for (const query of randomVectors(20, 32, 3)) {
      expectSame(found(part, query), bruteForce(all, query, allowed).slice(0, 20), ROUNDING);
    }
  });

  test.each([true, false])("int8 sums do not overflow at 4,096 dimensions, relaxed SIMD: %s", (isRelaxed) => {
    const ones = new Float32Array(4096).fill(1 / 64);
    const all = Array.from({ length: BYTES_ROWS_MIN }, (_, row) => (row === 77 ? ones : ones.map((value) => -value)));
    const part = partOf(all, allocateVectors(all.length, 4096));
    expect(searchVectors([part], ones, 1, new Kernels(isRelaxed), deskOf(1))).toEqual([
      { row: 77, score: expect.closeTo(1, 7) },
    ]);
    expect(byteScores(part, ones, isRelaxed).map(([row]) => row)).toEqual([77]);
  });

  test.skipIf(!existsSync(CORPUS))(
    "int8 with re-scoring: recall@20 is at least 0.999 on the embeddings of laws",
    async () => {
      const texts = readFileSync(CORPUS, "utf8")
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { text: string }).text);
      const embedder = await createStaticEmbedder();
      const all = await embedder.embed(texts.slice(0, 4000), "passage", { signal: new AbortController().signal });
      const asked = await embedder.embed(
        texts
          .slice(0, 4000)
          .filter((_, i) => i % 20 === 0)
          .map((text) => text.slice(0, 80)),
        "query",
        { signal: new AbortController().signal },
      );
      const part = partOf(all, allocateVectors(all.length, embedder.dimensions));
      let right = 0;
      for (const query of asked) {
        const exact = bruteForce(all, query);
        const last = exact[19]?.score ?? 0;
        right += found(part, query).filter(({ score }) => score >= last - ROUNDING).length;
      }
      expect(right / (20 * asked.length)).toBeGreaterThanOrEqual(0.999);
    },
  );
});
