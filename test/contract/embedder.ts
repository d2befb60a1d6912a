import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Embedder } from "../../src/ports/embedder.ts";
import { call } from "../support/calls.ts";

export interface OpenedEmbedder {
  readonly embedder: Embedder;
  /** Calls that went out to an endpoint so far; 0 where there is none. */
  calls(): number;
  close(): Promise<void>;
}

export const TEXTS = [
  "퇴직금은 14일 안에 지급한다.",
  "Severance pay is due within 14 days.",
  "연차 휴가 and annual leave, 섞인 글",
  "주차장은 지하 2층에 있다. 🚗",
];

/** The numbered rules of `ports/embedder.ts`. */
export function embedderContract(name: string, open: () => Promise<OpenedEmbedder>): void {
  describe(`embedder: ${name}`, () => {
    let opened: OpenedEmbedder;
    let embedder: Embedder;

    beforeAll(async () => {
      opened = await open();
      embedder = opened.embedder;
    });
    afterAll(() => opened.close());

    test("names its vector space", () => {
      expect(embedder.model).toMatch(/\S/);
      expect(embedder.dimensions).toBeGreaterThan(0);
    });

    test("1: one vector a text, in order, of `dimensions` values and unit length", async () => {
      for (const kind of ["query", "passage"] as const) {
        const vectors = await embedder.embed(TEXTS, kind, call());
        expect(vectors).toHaveLength(TEXTS.length);
        for (const vector of vectors) {
          expect(vector).toBeInstanceOf(Float32Array);
          expect(vector).toHaveLength(embedder.dimensions);
          expect(length(vector)).toBeCloseTo(1, 4);
        }
        const backwards = await embedder.embed(TEXTS.toReversed(), kind, call());
        for (const [i, vector] of vectors.entries()) {
          expect(dot(vector, backwards[TEXTS.length - 1 - i])).toBeGreaterThan(0.98);
        }
        expect(dot(vectors[0] as Float32Array, vectors[3])).toBeLessThan(0.98);
      }
    });

    test("1: a text that holds nothing gives zeros or a unit vector, never NaN", async () => {
      for (const vector of await embedder.embed(["", " \n\t", "!?…", "\u200b"], "passage", call())) {
        expect(vector).toHaveLength(embedder.dimensions);
        const size = length(vector);
        expect(size === 0 || Math.abs(size - 1) < 1e-4).toBe(true);
      }
    });

    test("2: the same text gives the same vector whatever it is batched with", async () => {
      for (const text of TEXTS) {
        const [alone] = await embedder.embed([text], "passage", call());
        const batched = await embedder.embed([...TEXTS, text, "x".repeat(4000)], "passage", call());
        expect(dot(alone as Float32Array, batched[TEXTS.indexOf(text)])).toBeGreaterThan(0.98);
        expect(dot(alone as Float32Array, batched[TEXTS.length])).toBeGreaterThan(0.98);
      }
    });

    test("3: an empty list gives an empty list without a call", async () => {
      const before = opened.calls();
      expect(await embedder.embed([], "query", call())).toEqual([]);
      expect(opened.calls()).toBe(before);
    });

    test("4: a text that is too long is cut, never refused", { timeout: 20_000 }, async () => {
      const long = "퇴직금은 근로자가 퇴사한 날부터 14일 안에 지급한다. ".repeat(4000);
      const [vector] = await embedder.embed([long], "passage", call());
      expect(length(vector as Float32Array)).toBeCloseTo(1, 4);
    });

    test("is deterministic, and does not hand out the same array twice", async () => {
      const [a] = await embedder.embed([TEXTS[0] ?? ""], "query", call());
      const [b] = await embedder.embed([TEXTS[0] ?? ""], "query", call());
      expect(a).toEqual(b);
      a?.fill(0);
      const [c] = await embedder.embed([TEXTS[0] ?? ""], "query", call());
      expect(c).toEqual(b);
    });
  });
}

export function dot(a: Float32Array, b: Float32Array | undefined): number {
  return a.reduce((sum, value, i) => sum + value * (b?.[i] ?? Number.NaN), 0);
}

function length(vector: Float32Array): number {
  return Math.sqrt(dot(vector, vector));
}
