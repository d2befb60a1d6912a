import { dropPostgresSchema } from "./adapters/passage-index/postgres.ts";
import { Database } from "./adapters/sqlite/database.ts";
import { type RebuildReport, rebuildDatabase } from "./adapters/sqlite/rebuild.ts";
import { createO200kCounter } from "./adapters/token-counter/o200k.ts";
import { chooseEmbedder, wrapEmbedder } from "./compose/embedder.ts";
import { chooseModel, wrapModel } from "./compose/language-model.ts";
import { pullMissing } from "./compose/onnx.ts";
import { chooseReranker, wrapReranker } from "./compose/reranker.ts";
import { settings } from "./compose/settings.ts";
import { chooseCache, chooseIndex, chooseSessions } from "./compose/stores.ts";
import { chooseCounter } from "./compose/token-counter.ts";
import type { Config } from "./config.ts";
import { RaglineError } from "./errors.ts";
import type { Stages } from "./pipeline/stages.ts";
import { createWords } from "./text/words.ts";
import { remembered } from "./wrap/remembered.ts";
import { retriedSearches } from "./wrap/retried.ts";
import { retriedSaves, type SaveCounts } from "./wrap/retried-saves.ts";
import { sizedSessions } from "./wrap/sized-sessions.ts";

/** Of all turns that wait to be stored again. */
const WAITING_CHARS_MAX = 64_000_000;

export interface Composition {
  readonly stages: Stages;
  /** What became of turns that could not be stored at once. */
  saveCounts(): Readonly<SaveCounts>;
  close(): Promise<void>;
}

/**
 * The one place that chooses implementations.
 * @throws RaglineError `config_invalid`: a file cannot be opened.
 */
export async function compose(config: Config): Promise<Composition> {
  const databases = new Map<string, Database>();
  const database = (file: string): Database => {
    const opened = databases.get(file) ?? Database.open(file);
    databases.set(file, opened);
    return opened;
  };
  if (config.models.download) await pullMissing(config);
  const counter = await chooseCounter(config);
  const chosen = chooseEmbedder(config, counter);
  const embedder = wrapEmbedder(chosen, config.embed, counter);
  const model = wrapModel(await chooseModel(config.generate, chosen), config.generate);
  const saves = retriedSaves(sizedSessions(await chooseSessions(config.session, database)), {
    turnsMax: config.save.waitingMax,
    charsMax: WAITING_CHARS_MAX,
    retryMs: config.save.retryMs,
  });
  const stages: Stages = {
    sessions: saves,
    cache: chooseCache(config.cache, database),
    embedder,
    index: retriedSearches(await chooseIndex(config.search, database, embedder), config.search),
    reranker: wrapReranker(chooseReranker(config, counter), config.rerank, counter),
    model,
    instructed: config.generate.use === "extractive" ? null : model,
    counter,
    chunkCounter: once(async () => remembered(await createO200kCounter())),
    words: createWords(),
    settings: settings(config),
  };
  return {
    stages,
    saveCounts: saves.counts,
    async close() {
      const { sessions, cache, embedder, index, reranker, model } = stages;
      for (const stage of [sessions, cache, embedder, index, reranker, model]) await stage?.close?.();
      await counter.close?.();
      for (const opened of databases.values()) await opened.close();
    },
  };
}

/**
 * Makes the index's file anew from what it records; nobody may have it open. See `rebuildDatabase`.
 * @throws RaglineError `config_invalid`: the index is in no file
 */
export function rebuildIndex({ search }: Config): { readonly file: string; readonly report: RebuildReport } {
  if (search.use !== "sqlite") {
    const message = `search.use: ${search.use}: only the file of sqlite is rebuilt; restore this index from its server's backup, or index again`;
    throw new RaglineError("config_invalid", message);
  }
  return { file: search.file, report: rebuildDatabase(search.file) };
}

/** Deletes what an index on a server left there that was opened for a while; files are their owner's. */
export async function discardIndex({ search }: Config): Promise<void> {
  if (search.use === "postgres") await dropPostgresSchema(search);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}
