import { describe, expect, test } from "vitest";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { cpuMs } from "../support/cpu.ts";
import reference from "./static-ko-en.reference.json" with { type: "json" };

const { signal } = new AbortController();
const embedder = createStaticEmbedder();

const cosine = (a: Float32Array = new Float32Array(), b: Float32Array = a) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

describe("static embedder", () => {
  test("names its vector space", () => {
    expect([embedder.model, embedder.dimensions]).toEqual(["static-ko-en/256", 256]);
  });

  test.each(reference.map((entry) => [entry.text.slice(0, 40), entry] as const))(
    "agrees with the reference reader to 5 digits: %j",
    async (_, { text, vector }) => {
      const [found] = await embedder.embed([text], "query", { signal });
      expect(found).toHaveLength(256);
      vector.forEach((value, i) => {
        expect(found?.[i]).toBeCloseTo(value, 5);
      });
    },
  );

  test("brings a Korean question close to the English text on the same matter", async () => {
    const [question, same, other] = await embedder.embed(
      ["데이터베이스 보안", "database security", "a walk in the park"],
      "query",
      { signal },
    );
    expect(cosine(question, same)).toBeGreaterThan(cosine(question, other) + 0.1);
  });

  test("a megabyte without a break is cut, not refused", async () => {
    const started = cpuMs();
    const [vector] = await embedder.embed(["가".repeat(1_000_000)], "passage", { signal });
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 5);
    expect(cpuMs() - started).toBeLessThan(2_000);
  });
});
