import { createOnnxEmbedder } from "../../src/adapters/embedder/onnx.ts";
import { loadModel } from "../../src/adapters/onnx/inference.ts";
import { readEmbedder } from "../../src/adapters/onnx/model-files.ts";
import { batchedEmbedder } from "../../src/wrap/batched.ts";
import { percentile, round } from "../stats.ts";

/** 22 tokens for MiniLM. */
export const QUESTION = "how many days of annual leave do I get in my first year, and when do they expire, please?";
const CALLS = 1500;

/** One question at a time: through embedder, queue and process, and tokenizer and file in this process; taking turns. */
export async function query(model: string, threads: number): Promise<unknown> {
  const { signal } = new AbortController();
  const onnx = createOnnxEmbedder({ model, cacheFolder: "", batchTimeoutMs: 30_000, threads });
  const embedder = batchedEmbedder(onnx, { batchTokensMax: 512, queueMax: 256 });
  const direct = await loadModel(readEmbedder(model, model, { threads }));
  const ours: number[] = [];
  const theirs: number[] = [];
  const timed = async (into: number[], call: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await call();
    into.push(performance.now() - startedAt);
  };
  for (let round = 0; round < 16; round++) {
    const [a, b]: [number[], number[]] = round === 0 ? [[], []] : [ours, theirs];
    for (let i = 0; i < CALLS / 15; i++) await timed(a, () => embedder.embed([QUESTION], "query", { signal }));
    for (let i = 0; i < CALLS / 15; i++) await timed(b, () => direct([QUESTION]));
  }
  await embedder.close?.();
  const p50 = percentile(ours, 0.5);
  const directP50 = percentile(theirs, 0.5);
  return {
    p50Ms: round(p50),
    p99Ms: round(percentile(ours, 0.99)),
    directP50Ms: round(directP50),
    directP99Ms: round(percentile(theirs, 0.99)),
    times: round(p50 / directP50),
  };
}
