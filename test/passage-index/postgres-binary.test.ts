import fc from "fast-check";
import { expect, test } from "vitest";
import { doubles, integers, vectorOf } from "../../src/adapters/passage-index/postgres-binary.ts";

/** As `array_recv` reads one of one dimension. */
function elements(bytes: Buffer, oid: number, size: number, read: (at: number) => number): number[] {
  expect([0, 4, 8, 16].map((at) => bytes.readInt32BE(at))).toEqual([1, 0, oid, 1]);
  const length = bytes.readInt32BE(12);
  expect(bytes).toHaveLength(20 + length * (4 + size));
  return Array.from({ length }, (_, i) => {
    const at = 20 + i * (4 + size);
    expect(bytes.readInt32BE(at)).toBe(size);
    return read(at + 4);
  });
}

test("arrays hold every number as it is, in PostgreSQL's binary form", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.array(fc.double()), (whole, broken) => {
      const int4 = integers(whole);
      expect(elements(int4, 23, 4, (at) => int4.readInt32BE(at))).toEqual(whole);
      const float8 = doubles(broken);
      expect(elements(float8, 701, 8, (at) => float8.readDoubleBE(at))).toEqual(broken);
    }),
  );
});

test("a vector has its length in front", () => {
  const bytes = vectorOf(Float32Array.of(0.5, -2));
  expect([bytes.readUInt16BE(0), bytes.readUInt16BE(2), bytes.readFloatBE(4), bytes.readFloatBE(8)]).toEqual([
    2, 0, 0.5, -2,
  ]);
  expect(bytes).toHaveLength(12);
});
