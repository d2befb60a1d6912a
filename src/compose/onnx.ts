import { availableParallelism } from "node:os";
import type { Config } from "../config.ts";
import { locateModel } from "../hub/cache.ts";
import { pullModel } from "../hub/pull.ts";

/** Filled in by `config.ts`. */
function cacheFolderOf({ cacheFolder = "" }: Config["models"]): string {
  return cacheFolder;
}

/** A model's own settings, with where its files are. */
export function onnxOptions<T extends { readonly threads: number }>(config: T, models: Config["models"]) {
  const threads = config.threads || Math.min(4, Math.max(1, availableParallelism() - 1));
  return { ...config, threads, cacheFolder: cacheFolderOf(models) };
}

export async function pullMissing({ embed, rerank, models }: Config): Promise<void> {
  for (const stage of [embed, rerank]) {
    if (stage.use !== "onnx" || locateModel(stage.model, cacheFolderOf(models))) continue;
    const { signal } = new AbortController();
    await pullModel(stage.model, { ...models, cacheFolder: cacheFolderOf(models), dtype: stage.dtype, signal });
  }
}
