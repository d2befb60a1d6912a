import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { loadModel } from "../../src/adapters/onnx/inference.ts";
import { readEmbedder } from "../../src/adapters/onnx/model-files.ts";
import { createRagline } from "../../src/index.ts";
import { round } from "../stats.ts";

/** Texts a direct call: the best of these is compared with. */
const DIRECT_BATCHES = [1, 4, 16, 32];
const DIRECT_TEXTS = 192;

/** Tokens a second of indexing abstracts, reading, cutting and storing included, beside the same file called in batches. */
export async function ingestion(model: string, corpus: string, folder: string, documents: number, threads: number) {
  const rows = (await readFile(corpus, "utf8"))
    .trimEnd()
    .split("\n")
    .slice(0, documents)
    .map((line) => JSON.parse(line) as { id: string; title: string; text: string });
  const file = join(folder, "documents.jsonl");
  await writeFile(file, rows.map(({ id, title, text }) => JSON.stringify({ id, title, text })).join("\n"));
  const ragline = await createRagline({
    embed: { use: "onnx", model, threads },
    search: { file: join(folder, "ingestion.db") },
  } as never);
  const direct = await loadModel(readEmbedder(model, model, { threads }));
  const directly = async (size: number) => {
    const texts = rows.slice(0, DIRECT_TEXTS).map(({ title, text }) => `${title}\n${text}`);
    texts.sort((a, b) => a.length - b.length);
    let tokens = 0;
    const startedAt = performance.now();
    for (let at = 0; at < texts.length; at += size) tokens += (await direct(texts.slice(at, at + size))).tokens;
    return tokens / ((performance.now() - startedAt) / 1000);
  };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const before: Record<string, number> = {};
  for (const size of DIRECT_BATCHES) before[size] = await directly(size);
  delay.enable();
  const startedAt = performance.now();
  const { added, passages } = await ragline.index([file]);
  const seconds = (performance.now() - startedAt) / 1000;
  delay.disable();
  const { tokens = 0, cut = 0 } = (await ragline.status()).models.embed ?? {};
  const again = await ragline.index([file]);
  await ragline.close();
  const direct32 = Math.max(...DIRECT_BATCHES.filter((size) => size > 1).map((size) => before[size] ?? 0));
  return {
    added,
    passages,
    seconds: round(seconds, 1),
    tokensPerSecond: round(tokens / seconds, 0),
    cut,
    directTokensPerSecond: Object.fromEntries(Object.entries(before).map(([size, rate]) => [size, round(rate, 0)])),
    shareOfBestDirectBatches: round(tokens / seconds / direct32),
    loopDelayP99Ms: round(delay.percentile(99) / 1e6),
    secondRunUnchanged: again.unchanged,
  };
}
