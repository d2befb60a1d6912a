import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RaglineError } from "../../src/errors.ts";
import type { Embedder, EmbedKind } from "../../src/ports/embedder.ts";
import type { Reranker } from "../../src/ports/reranker.ts";
import type { Served } from "../../src/types.ts";
import { batchedEmbedder, batchedReranker } from "../../src/wrap/batched.ts";
import { call, sleep } from "../support/calls.ts";

interface Batch {
  readonly texts: readonly string[];
  readonly kind: EmbedKind;
  readonly signal: AbortSignal;
  finish(error?: Error): void;
}

/** Runs a batch until it is told to finish; a text's vector is its length. */
function held() {
  const batches: Batch[] = [];
  let running = 0;
  const most = { running: 0 };
  const embedder: Embedder = {
    model: "held",
    dimensions: 1,
    textTokensMax: 256,
    async embed(texts, kind, { signal }) {
      most.running = Math.max(most.running, ++running);
      await new Promise<void>((resolve, reject) => {
        batches.push({ texts, kind, signal, finish: (error) => (error ? reject(error) : resolve()) });
      }).finally(() => running--);
      return texts.map(({ length }) => Float32Array.of(length));
    },
  };
  return { batches, embedder, most };
}

const TEXT = "x".repeat(40);
const options = { batchTokensMax: 64, queueMax: 8 };

describe("batched embedder", () => {
  test("a lone call starts at once, without a timer", async () => {
    const { batches, embedder } = held();
    const running = batchedEmbedder(embedder, options).embed(["abc"], "query", call());
    await Promise.resolve();
    expect(batches).toHaveLength(1);
    batches[0]?.finish();
    expect(await running).toEqual([Float32Array.of(3)]);
  });

  test("a model that gives too few results has failed", async () => {
    const { embedder } = held();
    const short: Embedder = { ...embedder, embed: async () => [Float32Array.of(1)] };
    await expect(batchedEmbedder(short, options).embed(["a", "b"], "query", call())).rejects.toMatchObject({
      code: "dependency_failed",
      message: "The model gave 1 results for 2 texts.",
    });
  });

  test("what waits while a batch runs goes together in the next, up to the budget", async () => {
    const { batches, embedder, most } = held();
    const batched = batchedEmbedder(embedder, options);
    const calls = Array.from({ length: 8 }, () => batched.embed([TEXT], "query", call()));
    const first = batched.embed([TEXT], "query", call()).catch(() => undefined);
    await sleep(1);
    // 12 tokens each by estimate: five fit into 64.
    expect(batches.map(({ texts }) => texts.length)).toEqual([5]);
    batches[0]?.finish();
    await sleep(1);
    expect(batches.map(({ texts }) => texts.length)).toEqual([5, 3]);
    batches[1]?.finish();
    expect(await Promise.all(calls)).toHaveLength(8);
    await first;
    expect(most.running).toBe(1);
  });

  test("a call that is worked on in two batches waited until the first of them alone", async () => {
    const { batches, embedder } = held();
    const served: Served[] = [];
    const asked = { ...call(), onServed: (one: Served) => void served.push(one) };
    const running = batchedEmbedder(embedder, options).embed(Array(6).fill(TEXT), "query", asked);
    for (const number of [0, 1]) {
      await sleep(30);
      batches[number]?.finish();
    }
    expect(await running).toHaveLength(6);
    expect(served).toHaveLength(1);
    expect(served[0]?.serviceMs).toBeGreaterThanOrEqual(55);
  });

  test("texts of like length go together: padding is bounded, and the oldest is always among them", async () => {
    const { batches, embedder } = held();
    const batched = batchedEmbedder(embedder, { batchTokensMax: 4096, queueMax: 64 });
    const lengths = [400, 20, 420, 24, 900, 28];
    const running = lengths.map((length) => batched.embed(["x".repeat(length)], "passage", call()));
    for (let i = 0; i < 3; i++) {
      await sleep(1);
      batches[i]?.finish();
    }
    expect((await Promise.all(running)).map(([vector]) => vector?.[0])).toEqual(lengths);
    expect(batches.map(({ texts }) => texts.map(({ length }) => length))).toEqual([[400, 420], [20, 24, 28], [900]]);
  });

  test("questions go before passages that waited longer; every ninth batch is for passages", async () => {
    const { batches, embedder } = held();
    const batched = batchedEmbedder(embedder, { batchTokensMax: 1, queueMax: 64 });
    const running = [
      ...Array.from({ length: 3 }, () => batched.embed([TEXT], "passage", call())),
      ...Array.from({ length: 12 }, () => batched.embed([TEXT], "query", call())),
    ];
    for (let i = 0; i < 15; i++) {
      await sleep(1);
      batches[i]?.finish();
    }
    await Promise.all(running);
    expect(batches.map(({ kind }) => kind[0]).join("")).toBe("qqqqqqqqpqqqqpp");
  });

  test("refuses early with `overloaded` once the queue is full; a lone call of any size is taken", async () => {
    const { batches, embedder } = held();
    const batched = batchedEmbedder(embedder, { batchTokensMax: 1, queueMax: 4 });
    const whole = batched.embed(Array(6).fill(TEXT), "query", call());
    await sleep(1);
    await expect(batched.embed([TEXT], "query", call())).rejects.toMatchObject({ code: "overloaded", status: 503 });
    const passages = batched.embed([TEXT], "passage", call());
    for (let i = 0; i < 7; i++) {
      await sleep(1);
      batches[i]?.finish();
    }
    expect(await whole).toHaveLength(6);
    expect(await passages).toHaveLength(1);
  });

  test("who is refused is told when the line will have been served: 1 s at least, and where it is known, what its items take", async () => {
    const { batches, embedder } = held();
    const batched = batchedEmbedder(embedder, { batchTokensMax: 1, queueMax: 40 });
    const line = batched.embed(Array(56).fill(TEXT), "query", call());
    await sleep(1);
    await expect(batched.embed([TEXT], "query", call())).rejects.toMatchObject({ retryAfterMs: 1000 });
    for (let i = 0; i < 16; i++) {
      await sleep(50);
      batches[i]?.finish();
    }
    await sleep(1);
    const refused = await batched.embed(Array(9).fill(TEXT), "query", call()).catch((error: RaglineError) => error);
    // 39 wait, of some 50 ms each.
    expect((refused as RaglineError).retryAfterMs).toBeGreaterThan(1900);
    expect((refused as RaglineError).retryAfterMs).toBeLessThan(8000);
    for (let i = 16; i < 56; i++) {
      await sleep(1);
      batches[i]?.finish();
    }
    expect(await line).toHaveLength(56);
  });

  test("callers who left are skipped; when all of a batch have left its signal aborts", async () => {
    const { batches, embedder } = held();
    const batched = batchedEmbedder(embedder, { batchTokensMax: 64, queueMax: 64 });
    const [a, b, c] = [new AbortController(), new AbortController(), new AbortController()];
    const first = batched.embed(["first"], "query", call(a.signal)).catch((error: unknown) => error);
    await sleep(1);
    const left = batched.embed(["left"], "query", call(b.signal)).catch((error: unknown) => error);
    const stays = batched.embed(["stays"], "query", call(c.signal));
    b.abort(new Error("gone"));
    expect(await left).toMatchObject({ message: "gone" });
    expect(batches[0]?.signal.aborted).toBe(false);
    a.abort(new Error("gone too"));
    expect(await first).toMatchObject({ message: "gone too" });
    expect(batches[0]?.signal.aborted).toBe(true);
    batches[0]?.finish();
    await sleep(1);
    expect(batches[1]?.texts).toEqual(["stays"]);
    batches[1]?.finish();
    expect(await stays).toHaveLength(1);
  });

  test("one caller who leaves takes nothing from the others of its batch", async () => {
    const { batches, embedder } = held();
    const batched = batchedEmbedder(embedder, { batchTokensMax: 64, queueMax: 64 });
    const before = batched.embed(["before"], "query", call());
    await sleep(1);
    const controller = new AbortController();
    const left = batched.embed(["left"], "query", call(controller.signal)).catch((error: unknown) => error);
    const stays = batched.embed(["stays"], "query", call());
    batches[0]?.finish();
    await before;
    await sleep(1);
    expect(batches[1]?.texts).toEqual(["left", "stays"]);
    controller.abort(new Error("gone"));
    expect(await left).toMatchObject({ message: "gone" });
    expect(batches[1]?.signal.aborted).toBe(false);
    batches[1]?.finish();
    expect(await stays).toHaveLength(1);
  });

  test("a batch that fails fails its calls alone, and the queue goes on", async () => {
    const { batches, embedder } = held();
    const batched = batchedEmbedder(embedder, { batchTokensMax: 1, queueMax: 64 });
    const failing = batched.embed([TEXT, TEXT], "query", call());
    const fine = batched.embed([TEXT], "query", call());
    await sleep(1);
    batches[0]?.finish(new Error("broken"));
    await expect(failing).rejects.toThrow("broken");
    await sleep(1);
    batches[1]?.finish();
    expect(await fine).toHaveLength(1);
    expect(batches).toHaveLength(2);
  });

  test("whatever is asked at once, every call gets its own vectors in its own order", async () => {
    const inner: Embedder = {
      model: "lengths",
      dimensions: 1,
      embed: async (texts) => texts.map(({ length }) => Float32Array.of(length)),
    };
    const text = fc.nat(400).map((length) => "글".repeat(length));
    const request = fc.record({
      texts: fc.array(text, { maxLength: 12 }),
      kind: fc.constantFrom("query" as const, "passage" as const),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { maxLength: 20 }),
        fc.integer({ min: 1, max: 2000 }),
        async (calls, tokens) => {
          const batched = batchedEmbedder(inner, { batchTokensMax: tokens, queueMax: 1000 });
          const answers = await Promise.all(calls.map(({ texts, kind }) => batched.embed(texts, kind, call())));
          expect(answers.map((vectors) => vectors.map(([value]) => value))).toEqual(
            calls.map(({ texts }) => texts.map(({ length }) => length)),
          );
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("batched reranker", () => {
  const inner: Reranker = {
    model: "lengths",
    score: async (pairs) => pairs.map(([query, text]) => text.length * query.length),
    rerank: () => Promise.reject(new Error("not called")),
  };

  test("pairs of different queries share batches; each call gets its own scores, best first", async () => {
    const sizes: number[] = [];
    const counting: Reranker = {
      ...inner,
      score: async (pairs) => {
        sizes.push(pairs.length);
        return pairs.map(([query, text]) => text.length * query.length);
      },
    };
    const batched = batchedReranker(counting, { batchTokensMax: 4096, queueMax: 64 });
    const [one, two] = await Promise.all([
      batched.rerank("q", ["a", "aaa", "aa"], call()),
      batched.rerank("qq", ["bb", "b"], call()),
    ]);
    expect(one).toEqual([
      { index: 1, score: 3 },
      { index: 2, score: 2 },
      { index: 0, score: 1 },
    ]);
    expect(two.map(({ index }) => index)).toEqual([0, 1]);
    expect(sizes).toEqual([5]);
  });

  test("a reranker that scores no pairs is left as it is", () => {
    const { score: _, ...whole } = inner;
    expect(batchedReranker(whole, options)).toBe(whole);
  });
});
