import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { RaglineError } from "../../src/errors.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { VectorCache } from "../../src/ports/vector-cache.ts";
import type { CallOptions } from "../../src/types.ts";
import { BoundedVectors } from "../../src/wrap/bounded-vectors.ts";
import { cachedEmbedder } from "../../src/wrap/cached.ts";
import { embedderContract } from "../contract/embedder.ts";
import { call, sleep } from "../support/calls.ts";

const hashing = createHashingEmbedder({ dimensions: 64 });
const MB = 1_048_576;

/** An embedder that remembers what it was asked, and takes its time. */
function counting(ms = 0) {
  const texts: string[][] = [];
  const signals: AbortSignal[] = [];
  const embedder: Embedder = {
    model: "counting",
    dimensions: 64,
    async embed(input, kind, options) {
      texts.push([...input]);
      signals.push(options.signal);
      if (ms > 0) await sleep(ms);
      return hashing.embed(input, kind, options);
    },
  };
  return { embedder, texts, signals };
}

embedderContract("cached", async () => ({
  embedder: cachedEmbedder(hashing, { bytesMax: MB }),
  calls: () => 0,
  close: async () => undefined,
}));

describe("a hit", () => {
  test("is the very same vector, without a call, for texts that are the same after normalisation", async () => {
    const { embedder, texts } = counting();
    const cached = cachedEmbedder(embedder, { bytesMax: MB });
    const [first] = await cached.embed(["퇴직금 지급 기한"], "query", call());
    // Decomposed Hangul, other blanks.
    for (const same of ["퇴직금 지급 기한".normalize("NFD"), "  퇴직금\t지급 \n기한 "]) {
      expect((await cached.embed([same], "query", call()))[0]).toEqual(first);
    }
    expect(texts).toEqual([["퇴직금 지급 기한"]]);
    await cached.embed(["퇴직금 지급 기한"], "passage", call());
    await cached.embed(["퇴직금 지급 기한."], "query", call());
    expect(texts).toHaveLength(3);
  });

  test("only what is missing is embedded, each text once", async () => {
    const { embedder, texts } = counting();
    const cached = cachedEmbedder(embedder, { bytesMax: MB });
    await cached.embed(["가"], "passage", call());
    const vectors = await cached.embed(["나", "가", "다", "나"], "passage", call());
    expect(texts).toEqual([["가"], ["나", "다"]]);
    expect(vectors).toEqual(await hashing.embed(["나", "가", "다", "나"], "passage", call()));
  });
});

describe("equal texts at the same time", () => {
  test("are one call", async () => {
    const { embedder, texts } = counting(20);
    const cached = cachedEmbedder(embedder, { bytesMax: MB });
    const all = await Promise.all(Array.from({ length: 50 }, () => cached.embed(["연차"], "query", call())));
    expect(texts).toEqual([["연차"]]);
    for (const [vector] of all) expect(vector).toEqual(all[0]?.[0]);
    expect(new Set(all.map(([vector]) => vector)).size).toBe(50);
  });

  test("one caller who leaves takes nothing from the others; when all have left the call ends", async () => {
    const { embedder, signals } = counting(60);
    const cached = cachedEmbedder(embedder, { bytesMax: MB });
    const controllers = [new AbortController(), new AbortController()];
    const [leaving, staying] = controllers.map(({ signal }) => cached.embed(["연차"], "query", call(signal)));
    await sleep(5);
    controllers[0]?.abort(new RaglineError("cancelled", "left"));
    await expect(leaving).rejects.toMatchObject({ code: "cancelled" });
    expect(signals[0]?.aborted).toBe(false);
    expect(await staying).toHaveLength(1);

    const alone = new AbortController();
    const pending = cached.embed(["병가"], "query", call(alone.signal));
    await sleep(5);
    alone.abort(new RaglineError("cancelled", "left"));
    await expect(pending).rejects.toMatchObject({ code: "cancelled" });
    expect(signals[1]?.aborted).toBe(true);
    expect(await cached.embed(["병가"], "query", call())).toHaveLength(1);
  });

  test("who asks after all others have left waits for a call of its own, though the old one never ends", async () => {
    let calls = 0;
    const embed: Embedder["embed"] = (...args) =>
      ++calls === 1 ? new Promise(() => undefined) : hashing.embed(...args);
    const cached = cachedEmbedder({ ...hashing, embed }, { bytesMax: MB });
    const alone = new AbortController();
    const pending = cached.embed(["병가"], "query", call(alone.signal));
    await sleep(1);
    alone.abort(new RaglineError("cancelled", "left"));
    await expect(pending).rejects.toMatchObject({ code: "cancelled" });
    expect(await cached.embed(["병가"], "query", call())).toHaveLength(1);
  });

  test("the call has the time of who may wait longest", async () => {
    const { signal } = call();
    for (const deadlines of [
      [1000, 2000],
      [2000, 1000],
    ]) {
      let deadline: number | undefined;
      const embed: Embedder["embed"] = async (texts, kind, options) => {
        await sleep(1);
        deadline = options.deadline;
        return hashing.embed(texts, kind, options);
      };
      const cached = cachedEmbedder({ ...hashing, embed }, { bytesMax: MB });
      await Promise.all(deadlines.map((deadline) => cached.embed(["연차"], "query", { signal, deadline })));
      expect(deadline).toBe(2000);
    }
  });

  test("a failure is everybody's, and is not kept", async () => {
    const embed = vi
      .fn<Embedder["embed"]>(hashing.embed)
      .mockRejectedValueOnce(new RaglineError("dependency_failed", "x"));
    const cached = cachedEmbedder({ ...hashing, embed }, { bytesMax: MB });
    const both = await Promise.allSettled([1, 2].map(() => cached.embed(["연차"], "query", call())));
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await cached.embed(["연차"], "query", call())).toHaveLength(1);
    expect(embed).toHaveBeenCalledTimes(2);
  });
});

test("whatever is asked in whatever order, by whoever leaves: the vectors are those of the embedder", async () => {
  const words = fc.constantFrom("가", "나 다", " 나  다", "라", "");
  const asks = fc.array(
    fc.record({
      texts: fc.array(words, { maxLength: 4 }),
      kind: fc.constantFrom("query" as const, "passage" as const),
      leaves: fc.boolean(),
    }),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(asks, fc.constantFrom(0, 700, MB), async (all, bytesMax) => {
      const cached = cachedEmbedder(counting(1).embedder, { bytesMax });
      await Promise.all(
        all.map(async ({ texts, kind, leaves }) => {
          const controller = new AbortController();
          const pending = cached.embed(texts, kind, call(controller.signal));
          if (leaves) controller.abort(new RaglineError("cancelled", "left"));
          const vectors = await pending.catch((error: unknown) => {
            if (!leaves) throw error;
            return null;
          });
          const plain = texts.map((text) => (kind === "query" ? text.replace(/\s+/g, " ").trim() : text.trim()));
          if (vectors) expect(vectors).toEqual(await hashing.embed(plain, kind, call()));
        }),
      );
    }),
    { numRuns: 50 },
  );
});

test("memory is bounded by bytes, and what was used last stays", () => {
  const sizes = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 40 })), { maxLength: 100 });
  fc.assert(
    fc.property(sizes, (puts) => {
      const vectors = new BoundedVectors(2000);
      for (const [name, length] of puts) {
        vectors.put(`글 ${name}`, new Float32Array(length).fill(name));
        expect(vectors.bytes).toBeLessThanOrEqual(2000);
        expect(vectors.find(`글 ${name}`)).toEqual(new Float32Array(length).fill(name));
      }
    }),
  );
  const two = new BoundedVectors(700);
  for (const name of ["a", "b"]) two.put(name, new Float32Array(8));
  two.find("a");
  two.put("c", new Float32Array(8));
  expect([two.find("a") !== null, two.find("b")]).toEqual([true, null]);
});

describe("a shared cache", () => {
  function shared() {
    const entries = new Map<string, Float32Array>();
    const cache: VectorCache = {
      find: async (keys) => keys.map((key) => entries.get(key) ?? null),
      put: async (all) => {
        for (const [key, vector] of all) entries.set(key, vector);
      },
    };
    return { entries, cache };
  }

  test("serves what another process has embedded with the same model", async () => {
    const { cache } = shared();
    const [first, second, other] = [counting(), counting(), counting()];
    await cachedEmbedder(first.embedder, { bytesMax: MB, shared: cache }).embed(["연차"], "query", call());
    const again = cachedEmbedder(second.embedder, { bytesMax: 0, shared: cache });
    expect(await again.embed(["연차", "병가"], "query", call())).toEqual(
      await hashing.embed(["연차", "병가"], "query", call()),
    );
    expect(second.texts).toEqual([["병가"]]);
    const another = { ...other.embedder, model: "another" };
    await cachedEmbedder(another, { bytesMax: 0, shared: cache }).embed(["연차"], "query", call());
    expect(other.texts).toEqual([["연차"]]);
    await again.embed(["연차"], "passage", call());
    expect(second.texts).toEqual([["병가"], ["연차"]]);
  });

  test("a vector of another length is none of this model's", async () => {
    const { entries, cache } = shared();
    const { embedder, texts } = counting();
    const cached = cachedEmbedder(embedder, { bytesMax: 0, shared: cache });
    await cached.embed(["연차"], "query", call());
    for (const key of entries.keys()) entries.set(key, new Float32Array(32));
    expect((await cached.embed(["연차"], "query", call()))[0]).toHaveLength(64);
    expect(texts).toHaveLength(2);
  });

  test.each(["find", "put"] as const)("an outage (%s) is a miss, not a failure", async (method) => {
    const broken = vi.fn(() => Promise.reject(new RaglineError("dependency_failed", "away")));
    const { embedder, texts } = counting();
    const cached = cachedEmbedder(embedder, { bytesMax: 0, shared: { ...shared().cache, [method]: broken } });
    for (let i = 0; i < 5; i++) expect(await cached.embed([`연차 ${i}`], "query", call())).toHaveLength(1);
    expect(texts).toHaveLength(5);
    // Left alone for a while.
    expect(broken).toHaveBeenCalledTimes(1);
  });
});

test("a hit costs no more than 50 µs", async () => {
  const cached = cachedEmbedder(createHashingEmbedder({ dimensions: 1024 }), { bytesMax: 64 * MB });
  const questions = Array.from({ length: 500 }, (_, i) => `퇴직금은 퇴사한 날부터 며칠 안에 지급해야 하나요? ${i}`);
  const options: CallOptions = call();
  for (const question of questions) await cached.embed([question], "query", options);
  const rounds: number[] = [];
  for (let round = 0; round < 9; round++) {
    const startedAt = performance.now();
    for (const question of questions) await cached.embed([question], "query", options);
    rounds.push(((performance.now() - startedAt) / questions.length) * 1000);
  }
  const median = rounds.toSorted((a, b) => a - b)[4] ?? Number.NaN;
  console.info(`embedding cache: a hit costs ${median.toFixed(1)} µs (1,024 values, median of 9 rounds)`);
  expect(median).toBeLessThan(50);
});
