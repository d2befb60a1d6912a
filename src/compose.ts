import { availableParallelism } from "node:os";
import { createSqliteAnswerCache } from "./adapters/answer-cache/sqlite.ts";
import { createAiSdkEmbedder } from "./adapters/embedder/ai-sdk.ts";
import { createHashingEmbedder } from "./adapters/embedder/hashing.ts";
import { createOnnxEmbedder } from "./adapters/embedder/onnx.ts";
import { createOpenAiEmbedder } from "./adapters/embedder/openai.ts";
import { createStaticEmbedder } from "./adapters/embedder/static.ts";
import { createTeiEmbedder } from "./adapters/embedder/tei.ts";
import { createAiSdkLanguageModel } from "./adapters/language-model/ai-sdk.ts";
import { createExtractiveModel } from "./adapters/language-model/extractive.ts";
import { createLlamaLanguageModel } from "./adapters/language-model/llama.ts";
import { createOpenAiLanguageModel } from "./adapters/language-model/openai.ts";
import { SqlitePassageIndex } from "./adapters/passage-index/sqlite.ts";
import { createAiSdkReranker } from "./adapters/reranker/ai-sdk.ts";
import { createCohereReranker } from "./adapters/reranker/cohere.ts";
import { createLexicalReranker } from "./adapters/reranker/lexical.ts";
import { createOnnxReranker } from "./adapters/reranker/onnx.ts";
import { createTeiReranker } from "./adapters/reranker/tei.ts";
import { openRedisSessionStore } from "./adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "./adapters/session-store/sqlite.ts";
import { Database } from "./adapters/sqlite/database.ts";
import { type RebuildReport, rebuildDatabase } from "./adapters/sqlite/rebuild.ts";
import { createBytesCounter } from "./adapters/token-counter/bytes.ts";
import { createEncodingCounter } from "./adapters/token-counter/encoding.ts";
import { createLlamaCounter } from "./adapters/token-counter/llama.ts";
import { createO200kCounter } from "./adapters/token-counter/o200k.ts";
import { createTokenizerJsonCounter } from "./adapters/token-counter/tokenizer-json.ts";
import type { Config } from "./config.ts";
import { locateModel } from "./hub/cache.ts";
import { pullModel } from "./hub/pull.ts";
import { Instruments } from "./instruments.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { AnswerCache } from "./ports/answer-cache.ts";
import type { Embedder } from "./ports/embedder.ts";
import type { LanguageModel } from "./ports/language-model.ts";
import type { Reranker } from "./ports/reranker.ts";
import type { SessionStore } from "./ports/session-store.ts";
import type { TokenCounter } from "./ports/token-counter.ts";
import { settingsOf } from "./settings.ts";
import type { Tracer } from "./telemetry/api.ts";
import { createWords } from "./text/words.ts";
import type { Step } from "./types.ts";
import { batchedEmbedder, batchedReranker } from "./wrap/batched.ts";
import { cachedEmbedder } from "./wrap/cached.ts";
import { corrected } from "./wrap/corrected.ts";
import { limitedEmbedder, limitedModel, limitedReranker } from "./wrap/limited.ts";
import { meteredEmbedder, meteredModel, meteredReranker } from "./wrap/metered.ts";
import { remembered } from "./wrap/remembered.ts";
import { retriedEmbedder, retriedModel, retriedReranker, retriedSearches } from "./wrap/retried.ts";
import { retriedSaves, type SaveCounts } from "./wrap/retried-saves.ts";
import { sizedSessions } from "./wrap/sized-sessions.ts";

/** Of all turns that wait to be stored again. */
const WAITING_CHARS_MAX = 64_000_000;
/** Redis's own share of the limit for loading, so that its failure is told from a slow step. */
const ROUND_TRIP_SHARE = 0.8;

export interface Composition {
  readonly stages: Stages;
  /** What became of turns. */
  saveCounts(): Readonly<SaveCounts>;
  /** Calls that wait for their turn, by step. */
  queues(): { readonly step: Step; readonly waiting: number }[];
  /** Texts looked for among embedded ones. */
  vectorCounts(): { readonly hits: number; readonly misses: number };
  close(): Promise<void>;
}

/**
 * The one place that chooses implementations.
 * @throws RaglineError `config_invalid`: a file cannot be opened.
 */
export async function compose(config: Config, tracer?: Tracer): Promise<Composition> {
  const databases = new Map<string, Database>();
  const database = (file: string): Database => {
    const opened = databases.get(file) ?? Database.open(file);
    databases.set(file, opened);
    return opened;
  };
  if (config.models.download) await pullMissing(config);
  const counter = await chooseCounter(config);
  const instruments = new Instruments(tracer, config.telemetry.content);
  const chosen = chooseEmbedder(config, counter, instruments);
  const embedder = wrapEmbedder(chosen, config.embed, counter, instruments);
  const model = wrapModel(await chooseModel(config.generate, chosen, instruments), config.generate, instruments);
  const saves = retriedSaves(sizedSessions(await chooseSessions(config.session, database, instruments)), {
    turnsMax: config.save.waitingMax,
    charsMax: WAITING_CHARS_MAX,
    retryMs: config.save.retryMs,
  });
  const stages: Stages = {
    sessions: saves,
    cache: chooseCache(config.cache, database),
    embedder,
    index: retriedSearches(new SqlitePassageIndex(database(config.search.file), embedder), config.search),
    reranker: wrapReranker(chooseReranker(config, counter, instruments), config.rerank, counter, instruments),
    model,
    instructed: config.generate.use === "extractive" ? null : model,
    counter,
    chunkCounter: once(async () => remembered(await createO200kCounter())),
    words: createWords(),
    settings: settingsOf(config),
  };
  return {
    stages,
    saveCounts: saves.counts,
    queues: () => instruments.queues(),
    vectorCounts: () => instruments.vectors,
    async close() {
      const { sessions, cache, embedder, index, reranker, model } = stages;
      for (const stage of [sessions, cache, embedder, index, reranker, model]) await stage?.close?.();
      await counter.close?.();
      for (const opened of databases.values()) await opened.close();
    },
  };
}

/** Makes the index's file anew from what it records; nobody may have it open. See `rebuildDatabase`. */
export function rebuildIndex(config: Config): RebuildReport {
  return rebuildDatabase(config.search.file);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
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

function chooseEmbedder({ embed: config, models }: Config, counter: TokenCounter, instruments: Instruments): Embedder {
  switch (config.use) {
    case "static":
      return createStaticEmbedder();
    case "hashing":
      return createHashingEmbedder(config);
    case "openai":
      return createOpenAiEmbedder({ ...config, counter });
    case "tei":
      return createTeiEmbedder(config);
    case "ai-sdk":
      return createAiSdkEmbedder({ ...config, counter });
    case "onnx":
      return batchedEmbedder(createOnnxEmbedder(onnxOptions(config, models)), instruments.queued("embed", config));
  }
}

/** A cache outside, so that a hit costs no turn; each try takes a turn, and none while it waits; only calls are metered. */
function wrapEmbedder(
  embedder: Embedder,
  config: Config["embed"],
  counter: TokenCounter,
  instruments: Instruments,
): Embedder {
  if (!("cacheMb" in config)) return embedder;
  const metered = meteredEmbedder(instruments.embedder(embedder, config), counter);
  const called =
    "concurrencyMax" in config
      ? retriedEmbedder(limitedEmbedder(metered, instruments.queued("embed", config)), config)
      : metered;
  const { onLookup } = instruments;
  return config.cacheMb === 0 ? called : cachedEmbedder(called, { bytesMax: config.cacheMb * 1_048_576, onLookup });
}

/** What a question waits for. */
const SESSION_CALLS = ["begin", "finish", "load", "turns", "recall", "replace"] as const;

async function chooseSessions(
  config: Config["session"],
  database: (file: string) => Database,
  instruments: Instruments,
): Promise<SessionStore> {
  switch (config.use) {
    case "sqlite":
      return createSqliteSessionStore(database(config.file), config);
    case "redis":
      return instruments.store(
        await openRedisSessionStore({ ...config, timeoutMs: config.timeoutMs * ROUND_TRIP_SHARE }),
        config,
        SESSION_CALLS,
      );
  }
}

function chooseCache(config: Config["cache"], database: (file: string) => Database): AnswerCache | null {
  return config.use === "none" ? null : createSqliteAnswerCache(database(config.file), config);
}

function chooseReranker(
  { rerank: config, models }: Config,
  counter: TokenCounter,
  instruments: Instruments,
): Reranker | null {
  switch (config.use) {
    case "lexical":
      return createLexicalReranker();
    case "tei":
      return createTeiReranker(config);
    case "cohere":
      return createCohereReranker({ ...config, counter });
    case "ai-sdk":
      return createAiSdkReranker(config);
    case "onnx":
      return batchedReranker(createOnnxReranker(onnxOptions(config, models)), instruments.queued("rerank", config));
    case "none":
      return null;
  }
}

function wrapReranker(
  reranker: Reranker | null,
  config: Config["rerank"],
  counter: TokenCounter,
  instruments: Instruments,
): Reranker | null {
  if (!reranker || config.use === "lexical") return reranker;
  const metered = meteredReranker(instruments.reranker(reranker, config), counter);
  if (!("concurrencyMax" in config)) return metered;
  return retriedReranker(limitedReranker(metered, instruments.queued("rerank", config)), config);
}

async function chooseModel(
  config: Config["generate"],
  embedder: Embedder,
  instruments: Instruments,
): Promise<LanguageModel> {
  switch (config.use) {
    case "extractive":
      return createExtractiveModel({ sentencesMax: config.sentences, embedder: localEmbedder(embedder) });
    case "openai":
      return createOpenAiLanguageModel(config);
    case "llama": {
      const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / 2));
      return createLlamaLanguageModel(instruments.queued("generate", { ...config, threads }));
    }
    case "ai-sdk":
      return createAiSdkLanguageModel(config);
  }
}

/** OpenAI's models since GPT-4o. */
const O200K_MODELS = /^(?:chatgpt-4o|gpt-4o|gpt-4\.|gpt-5|gpt-oss|o[1-9])/;

async function chooseCounter({ prompt, generate }: Config): Promise<TokenCounter> {
  if (generate.use === "llama") return remembered(await createLlamaCounter(generate.model));
  if (prompt.tokenizerFile !== undefined) {
    return corrected(remembered(await createTokenizerJsonCounter(prompt.tokenizerFile)), false);
  }
  const isO200k = generate.use === "extractive" || O200K_MODELS.test(nameOf(generate.model));
  const name = prompt.counter === "auto" ? (isO200k ? "o200k_base" : "bytes") : prompt.counter;
  if (name === "bytes") return corrected(createBytesCounter(), true);
  const exact = name === "o200k_base" ? createO200kCounter() : createEncodingCounter(name);
  return corrected(remembered(await exact), false);
}

/** Without the provider's part of it. */
function nameOf(model: string | { readonly modelId: string }): string {
  return (typeof model === "string" ? model : model.modelId).replace(/^.*\//, "");
}

/** Quoting compares sentences, many a question: with the table in this process, never over a network. */
function localEmbedder(embedder: Embedder): Embedder {
  return embedder.model.startsWith("static-ko-en") ? embedder : createStaticEmbedder();
}

function wrapModel(model: LanguageModel, config: Config["generate"], instruments: Instruments): LanguageModel {
  if (config.use === "extractive") return model;
  const metered = meteredModel(instruments.model(model, config));
  if (!("concurrencyMax" in config)) return metered;
  return retriedModel(limitedModel(metered, instruments.queued("generate", config)), config);
}
