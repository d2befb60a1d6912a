import { monitorEventLoopDelay } from "node:perf_hooks";
import { createOnnxReranker } from "../../src/adapters/reranker/onnx.ts";
import { batchedReranker } from "../../src/wrap/batched.ts";
import { percentile, round } from "../stats.ts";

const CALLS = 60;
const QUERY = "a b c d e f g h";

/** Twenty passages that make pairs of 128 tokens, again and again; and how late this process's timers are meanwhile. */
export async function reranking(model: string, threads: number): Promise<unknown> {
  const { signal } = new AbortController();
  const onnx = createOnnxReranker({ model, cacheFolder: "", batchTimeoutMs: 30_000, threads });
  const reranker = batchedReranker(onnx, { batchTokensMax: 512, queueMax: 256 });
  const texts = Array.from({ length: 20 }, (_, i) => `${String.fromCharCode(97 + i)} `.repeat(117));
  for (let i = 0; i < 5; i++) await reranker.rerank(QUERY, texts, { signal });
  const before = reranker.counts?.().tokens ?? 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const times: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    const startedAt = performance.now();
    await reranker.rerank(QUERY, texts, { signal });
    times.push(performance.now() - startedAt);
  }
  delay.disable();
  const tokens = ((reranker.counts?.().tokens ?? 0) - before) / CALLS / texts.length;
  await reranker.close?.();
  return {
    p50Ms: round(percentile(times, 0.5)),
    p99Ms: round(percentile(times, 0.99)),
    tokensAPair: tokens,
    loopDelayP99Ms: round(delay.percentile(99) / 1e6),
  };
}
