import { monitorEventLoopDelay } from "node:perf_hooks";
import { createOnnxEmbedder } from "../../src/adapters/embedder/onnx.ts";
import { createOnnxReranker } from "../../src/adapters/reranker/onnx.ts";
import type { CallOptions } from "../../src/types.ts";
import { batchedEmbedder, batchedReranker } from "../../src/wrap/batched.ts";
import { percentile, round } from "../stats.ts";

const SECONDS = 2;
const BATCHING = { batchTokensMax: 512, queueMax: 100_000 };

/** Words of questions of 6 to 30 tokens, as people ask them. */
const WORDS =
  "how many days of annual leave do I get in my first year and when do they expire if I move to another team";

/** Callers that ask again as soon as they are answered: with and without `batched`, taking turns. */
export async function callers(embedModel: string, rerankModel: string, threads: number) {
  const common = { cacheFolder: "", batchTimeoutMs: 30_000, threads };
  const embedder = createOnnxEmbedder({ model: embedModel, ...common });
  const reranker = createOnnxReranker({ model: rerankModel, ...common });
  const words = WORDS.split(" ");
  const question = (n: number) => words.slice(n % 7, (n % 7) + 5 + (n % 17)).join(" ");
  const passages = Array.from({ length: 20 }, (_, i) => "a b c ".repeat(8 + 3 * (i % 8)));
  const batched = { embedder: batchedEmbedder(embedder, BATCHING), reranker: batchedReranker(reranker, BATCHING) };
  const kinds = {
    embed: {
      plain: (n: number, call: CallOptions) => embedder.embed([question(n)], "query", call),
      batched: (n: number, call: CallOptions) => batched.embedder.embed([question(n)], "query", call),
    },
    rerank: {
      plain: (n: number, call: CallOptions) => reranker.rerank(question(n), passages, call),
      batched: (n: number, call: CallOptions) => batched.reranker.rerank(question(n), passages, call),
    },
  };
  const all: { name: string; figures: unknown }[] = [];
  for (const [kind, ask] of Object.entries(kinds)) {
    for (const count of [1, 8, 64]) {
      await load(ask.plain, count, 0.5);
      const plain = await load(ask.plain, count, SECONDS);
      const together = await load(ask.batched, count, SECONDS);
      all.push({ name: `${kind}, ${count} callers`, figures: { plain, batched: together } });
    }
  }
  await embedder.close?.();
  await reranker.close?.();
  return all;
}

async function load(ask: (n: number, call: CallOptions) => Promise<unknown>, count: number, seconds: number) {
  const { signal } = new AbortController();
  const times: number[] = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  let n = 0;
  delay.enable();
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (performance.now() < until) {
        const askedAt = performance.now();
        await ask(n++, { signal });
        times.push(performance.now() - askedAt);
      }
    }),
  );
  delay.disable();
  return {
    callsPerSecond: round(times.length / ((performance.now() - startedAt) / 1000), 0),
    p50Ms: round(percentile(times, 0.5)),
    p99Ms: round(percentile(times, 0.99)),
    loopDelayP99Ms: round(delay.percentile(99) / 1e6),
  };
}
