import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";

const { signal } = new AbortController();

const cosine = (a: Float32Array = new Float32Array(), b: Float32Array = a) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

describe("hashing embedder", () => {
  test("gives unit vectors, or zeros of nothing, the same each time and in any batch", async () => {
    const embedder = createHashingEmbedder({ dimensions: 256 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: "grapheme" })), async (texts) => {
        const together = await embedder.embed(texts, "passage", { signal });
        const apart = await Promise.all(
          texts.map(async (text) => (await embedder.embed([text], "query", { signal }))[0]),
        );
        expect(together).toEqual(apart);
        for (const vector of together) {
          expect(vector).toHaveLength(256);
          const length = Math.hypot(...vector);
          expect(length === 0 || Math.abs(length - 1) < 1e-5).toBe(true);
        }
      }),
    );
  });

  test("like spelling is close, in any script; word order and case do not count", async () => {
    const embedder = createHashingEmbedder();
    const texts = ["퇴직금은 언제", "퇴직금을 언제", "회의실 예약", "Тест один", "ОДИН тест"];
    const [a, b, c, d, e] = await embedder.embed(texts, "query", { signal });
    expect(cosine(a, b)).toBeGreaterThan(0.5);
    expect(cosine(a, c)).toBeLessThan(0.3);
    expect(cosine(d, e)).toBeCloseTo(1, 5);
  });

  test("names its dimensions", () => {
    expect(createHashingEmbedder({ dimensions: 1024 }).model).toBe("hashing/1024");
  });
});
