import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { VectorCache } from "../../src/ports/vector-cache.ts";
import { call } from "../support/calls.ts";

export interface VectorCacheUnderTest {
  readonly cache: VectorCache;
  close(): Promise<void>;
}

/** What every cache of vectors must do. */
export function vectorCacheContract(name: string, open: () => Promise<VectorCacheUnderTest>): void {
  describe(`vector cache: ${name}`, () => {
    let opened: VectorCacheUnderTest;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());
    const keys = (count: number) => Array.from({ length: count }, () => randomUUID());

    test("gives what was put, bit for bit, in the order of the keys; null for others", async () => {
      const [one = "", other = "", absent = ""] = keys(3);
      const vector = Float32Array.of(0.1, -0, 1e-40, 3.4e38);
      await opened.cache.put(
        [
          [one, vector],
          [other, Float32Array.of(1)],
        ],
        call(),
      );
      const found = await opened.cache.find([absent, other, one, absent], call());
      expect(found.map((item) => item && [...item])).toEqual([null, [1], [...vector], null]);
      expect(Object.is(found[2]?.[1], -0)).toBe(true);
    });

    test("what is put again replaces what was there", async () => {
      const [key = ""] = keys(1);
      await opened.cache.put([[key, Float32Array.of(1, 2)]], call());
      await opened.cache.put([[key, Float32Array.of(3)]], call());
      expect(await opened.cache.find([key], call())).toEqual([Float32Array.of(3)]);
    });

    test("takes a batch of 256, and a vector that is part of a larger memory", async () => {
      const many = keys(256);
      const memory = Float32Array.from({ length: 256 * 384 }, (_, i) => i / 1000);
      const part = (i: number) => memory.subarray(i * 384, (i + 1) * 384);
      await opened.cache.put(
        many.map((key, i) => [key, part(i)] as const),
        call(),
      );
      const found = await opened.cache.find(many, call());
      expect(found.every((vector, i) => vector?.every((value, j) => value === part(i)[j]))).toBe(true);
    });
  });
}
