import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { createSqliteAnswerCache } from "./adapters/answer-cache/sqlite.ts";
import { createHashingEmbedder } from "./adapters/embedder/hashing.ts";
import { createOnnxEmbedder } from "./adapters/embedder/onnx.ts";
import { createOpenAiEmbedder } from "./adapters/embedder/openai.ts";
import { createStaticEmbedder } from "./adapters/embedder/static.ts";
import { createExtractiveModel } from "./adapters/language-model/extractive.ts";
import { createOpenAiLanguageModel } from "./adapters/language-model/openai.ts";
import { SqlitePassageIndex } from "./adapters/passage-index/sqlite.ts";
import { createLexicalReranker } from "./adapters/reranker/lexical.ts";
import { createOnnxReranker } from "./adapters/reranker/onnx.ts";
import { createTeiReranker } from "./adapters/reranker/tei.ts";
import { openRedisSessionStore } from "./adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "./adapters/session-store/sqlite.ts";
import { Database } from "./adapters/sqlite/database.ts";
import { type RebuildReport, rebuildDatabase } from "./adapters/sqlite/rebuild.ts";
import { createO200kCounter } from "./adapters/token-counter/o200k.ts";
import type { Config } from "./config.ts";
import { locateModel } from "./hub/cache.ts";
import { pullModel } from "./hub/pull.ts";
import type { Settings, Stages } from "./pipeline/stages.ts";
import type { AnswerCache } from "./ports/answer-cache.ts";
import type { Embedder } from "./ports/embedder.ts";
import type { LanguageModel } from "./ports/language-model.ts";
import type { Reranker } from "./ports/reranker.ts";
import type { SessionStore } from "./ports/session-store.ts";
import { createWords } from "./text/words.ts";
import { batchedEmbedder, batchedReranker } from "./wrap/batched.ts";
import { remembered } from "./wrap/remembered.ts";
import { retriedSaves, type SaveCounts } from "./wrap/retried-saves.ts";
import { sizedSessions } from "./wrap/sized-sessions.ts";

/** Of all turns that wait to be stored again. */
const WAITING_CHARS_MAX = 64_000_000;
/** Redis's own share of the limit for loading, so that its failure is told from a slow step. */
const ROUND_TRIP_SHARE = 0.8;

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
  const embedder = chooseEmbedder(config.embed, config.models);
  const saves = retriedSaves(sizedSessions(await chooseSessions(config.session, database)), {
    turnsMax: config.save.waitingMax,
    charsMax: WAITING_CHARS_MAX,
    retryMs: config.save.retryMs,
  });
  const stages: Stages = {
    sessions: saves,
    cache: chooseCache(config.cache, database),
    embedder,
    index: new SqlitePassageIndex(database(config.search.file), embedder),
    reranker: chooseReranker(config.rerank, config.models),
    model: chooseModel(config.generate, embedder),
    counter: remembered(await createO200kCounter()),
    words: createWords(),
    settings: settings(config),
  };
  return {
    stages,
    saveCounts: saves.counts,
    async close() {
      const { sessions, cache, embedder, index, reranker, model } = stages;
      for (const stage of [sessions, cache, embedder, index, reranker, model]) await stage?.close?.();
      for (const opened of databases.values()) await opened.close();
    },
  };
}

/** Makes the index's file anew from what it records; nobody may have it open. See `rebuildDatabase`. */
export function rebuildIndex(config: Config): RebuildReport {
  return rebuildDatabase(config.search.file);
}

async function pullMissing({ embed, rerank, models }: Config): Promise<void> {
  for (const stage of [embed, rerank]) {
    if (stage.use !== "onnx" || locateModel(stage.model, cacheFolderOf(models))) continue;
    const { signal } = new AbortController();
    await pullModel(stage.model, { ...models, cacheFolder: cacheFolderOf(models), dtype: stage.dtype, signal });
  }
}

/** Filled in by `config.ts`. */
function cacheFolderOf({ cacheFolder = "" }: Config["models"]): string {
  return cacheFolder;
}

/** A model's own settings, with where its files are. */
function onnxOptions<T extends { readonly threads: number }>(config: T, models: Config["models"]) {
  const threads = config.threads || Math.min(4, Math.max(1, availableParallelism() - 1));
  return { ...config, threads, cacheFolder: cacheFolderOf(models) };
}

function chooseEmbedder(config: Config["embed"], models: Config["models"]): Embedder {
  switch (config.use) {
    case "static":
      return createStaticEmbedder();
    case "hashing":
      return createHashingEmbedder(config);
    case "openai":
      return createOpenAiEmbedder(config);
    case "onnx":
      return batchedEmbedder(createOnnxEmbedder(onnxOptions(config, models)), config);
  }
}

async function chooseSessions(config: Config["session"], database: (file: string) => Database): Promise<SessionStore> {
  switch (config.use) {
    case "sqlite":
      return createSqliteSessionStore(database(config.file), config);
    case "redis":
      return openRedisSessionStore({ ...config, timeoutMs: config.timeoutMs * ROUND_TRIP_SHARE });
  }
}

function chooseCache(config: Config["cache"], database: (file: string) => Database): AnswerCache | null {
  return config.use === "none" ? null : createSqliteAnswerCache(database(config.file), config);
}

function chooseReranker(config: Config["rerank"], models: Config["models"]): Reranker | null {
  switch (config.use) {
    case "lexical":
      return createLexicalReranker();
    case "tei":
      return createTeiReranker(config);
    case "onnx":
      return batchedReranker(createOnnxReranker(onnxOptions(config, models)), config);
    case "none":
      return null;
  }
}

function chooseModel(config: Config["generate"], embedder: Embedder): LanguageModel {
  switch (config.use) {
    case "extractive":
      return createExtractiveModel({ sentencesMax: config.sentences, embedder: localEmbedder(embedder) });
    case "openai":
      return createOpenAiLanguageModel(config);
  }
}

/** Quoting compares sentences, many a question: with the table in this process, never over a network. */
function localEmbedder(embedder: Embedder): Embedder {
  return embedder.model.startsWith("static-ko-en") ? embedder : createStaticEmbedder();
}

function settings(config: Config): Settings {
  const { session, rewrite, cache, embed, search, rerank, prompt, generate, save, compact, server } = config;
  const limitsMs = {
    session: session.timeoutMs,
    embed: embed.timeoutMs,
    search: search.timeoutMs,
    save: save.timeoutMs,
    compact: compact.timeoutMs,
    ...(rewrite.use !== "none" && { rewrite: rewrite.timeoutMs }),
    ...(rerank.use !== "none" && { rerank: rerank.timeoutMs }),
    ...(cache.use !== "none" && { cache: cache.timeoutMs }),
  };
  return {
    limitsMs,
    timeoutMs: server.timeoutMs,
    generateLimits: {
      firstItemMs: generate.firstTokenTimeoutMs,
      silenceMs: generate.silenceTimeoutMs,
      retries: generate.retries,
    },
    rawTurns: session.turns,
    rewriteFollowUps: rewrite.use === "rules",
    cacheServes: cache.use !== "none" && cache.mode === "on",
    top: search.top,
    keep: rerank.keep,
    searchRetries: search.retries,
    fusion:
      search.fusion === "learned" ? "learned" : { uncovered: search.vectorWeight, covered: search.vectorWeightCovered },
    preRotTokens: prompt.preRotTokens,
    expectedOutputTokens: prompt.expectedOutputTokens,
    system: prompt.system ?? null,
    compactStartRatio: compact.startRatio,
    compactTargetRatio: compact.targetRatio,
    fingerprint: fingerprint({ rewrite, embed, search, rerank, prompt, generate }),
  };
}

function fingerprint(part: unknown): string {
  return createHash("sha256").update(JSON.stringify(part)).digest("hex");
}
