import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { createSqliteAnswerCache } from "./adapters/answer-cache/sqlite.ts";
import { createAiSdkEmbedder } from "./adapters/embedder/ai-sdk.ts";
import { createHashingEmbedder } from "./adapters/embedder/hashing.ts";
import { createOnnxEmbedder } from "./adapters/embedder/onnx.ts";
import { createOpenAiEmbedder } from "./adapters/embedder/openai.ts";
import { createSimulatedEmbedder } from "./adapters/embedder/simulated.ts";
import { createStaticEmbedder } from "./adapters/embedder/static.ts";
import { createTeiEmbedder } from "./adapters/embedder/tei.ts";
import { createAiSdkLanguageModel } from "./adapters/language-model/ai-sdk.ts";
import { createExtractiveModel } from "./adapters/language-model/extractive.ts";
import { createLlamaLanguageModel } from "./adapters/language-model/llama.ts";
import { createOpenAiLanguageModel } from "./adapters/language-model/openai.ts";
import { createSimulatedModel } from "./adapters/language-model/simulated.ts";
import { SqlitePassageIndex } from "./adapters/passage-index/sqlite.ts";
import { createAiSdkReranker } from "./adapters/reranker/ai-sdk.ts";
import { createCohereReranker } from "./adapters/reranker/cohere.ts";
import { createLexicalReranker } from "./adapters/reranker/lexical.ts";
import { createOnnxReranker } from "./adapters/reranker/onnx.ts";
import { createSimulatedReranker } from "./adapters/reranker/simulated.ts";
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
import type { Settings, Stages } from "./pipeline/stages.ts";
import type { AnswerCache } from "./ports/answer-cache.ts";
import type { Embedder } from "./ports/embedder.ts";
import type { LanguageModel } from "./ports/language-model.ts";
import type { Reranker } from "./ports/reranker.ts";
import type { SessionStore } from "./ports/session-store.ts";
import type { TokenCounter } from "./ports/token-counter.ts";
import { createWords } from "./text/words.ts";
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
    index: retriedSearches(new SqlitePassageIndex(database(config.search.file), embedder), config.search),
    reranker: wrapReranker(chooseReranker(config, counter), config.rerank, counter),
    model,
    instructed: followsInstructions(config.generate) ? model : null,
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

function chooseEmbedder({ embed: config, models }: Config, counter: TokenCounter): Embedder {
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
      return batchedEmbedder(createOnnxEmbedder(onnxOptions(config, models)), config);
    case "simulated":
      return createSimulatedEmbedder(config);
  }
}

/** A cache outside, so that a hit costs no turn; each try takes a turn, and none while it waits; only calls are metered. */
function wrapEmbedder(embedder: Embedder, config: Config["embed"], counter: TokenCounter): Embedder {
  if (!("cacheMb" in config)) return embedder;
  const metered = meteredEmbedder(embedder, counter);
  const called = "concurrencyMax" in config ? retriedEmbedder(limitedEmbedder(metered, config), config) : metered;
  return config.cacheMb === 0 ? called : cachedEmbedder(called, { bytesMax: config.cacheMb * 1_048_576 });
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

function chooseReranker({ rerank: config, models }: Config, counter: TokenCounter): Reranker | null {
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
      return batchedReranker(createOnnxReranker(onnxOptions(config, models)), config);
    case "simulated":
      return createSimulatedReranker(config);
    case "none":
      return null;
  }
}

function wrapReranker(reranker: Reranker | null, config: Config["rerank"], counter: TokenCounter): Reranker | null {
  if (!reranker || config.use === "lexical") return reranker;
  const metered = meteredReranker(reranker, counter);
  return "concurrencyMax" in config ? retriedReranker(limitedReranker(metered, config), config) : metered;
}

async function chooseModel(config: Config["generate"], embedder: Embedder): Promise<LanguageModel> {
  switch (config.use) {
    case "extractive":
      return createExtractiveModel({ sentencesMax: config.sentences, embedder: localEmbedder(embedder) });
    case "openai":
      return createOpenAiLanguageModel(config);
    case "llama": {
      const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / 2));
      return createLlamaLanguageModel({ ...config, threads });
    }
    case "ai-sdk":
      return createAiSdkLanguageModel(config);
    case "simulated":
      return createSimulatedModel(config);
  }
}

/** Those that write what they are told to; the others quote passages, and count as OpenAI's models do. */
function followsInstructions(
  config: Config["generate"],
): config is Exclude<Config["generate"], { use: "extractive" | "simulated" }> {
  return config.use !== "extractive" && config.use !== "simulated";
}

/** OpenAI's models since GPT-4o. */
const O200K_MODELS = /^(?:chatgpt-4o|gpt-4o|gpt-4\.|gpt-5|gpt-oss|o[1-9])/;

async function chooseCounter({ prompt, generate }: Config): Promise<TokenCounter> {
  if (generate.use === "llama") return remembered(await createLlamaCounter(generate.model));
  if (prompt.tokenizerFile !== undefined) {
    return corrected(remembered(await createTokenizerJsonCounter(prompt.tokenizerFile)), false);
  }
  const isO200k = !followsInstructions(generate) || O200K_MODELS.test(nameOf(generate.model));
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

function wrapModel(model: LanguageModel, config: Config["generate"]): LanguageModel {
  if (config.use === "extractive") return model;
  const metered = meteredModel(model);
  return "concurrencyMax" in config ? retriedModel(limitedModel(metered, config), config) : metered;
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
    },
    rawTurns: session.turns,
    leaseMs: session.leaseMs,
    rewriteFollowUps: rewrite.use !== "none",
    rewriteByModel: rewrite.use === "model",
    cacheServes: cache.use !== "none" && cache.mode === "on",
    top: search.top,
    keep: rerank.keep,
    fusion:
      search.fusion === "learned" ? "learned" : { uncovered: search.vectorWeight, covered: search.vectorWeightCovered },
    preRotTokens: prompt.preRotTokens,
    expectedOutputTokens: prompt.expectedOutputTokens,
    system: prompt.system ?? null,
    summarizeByModel: compact.summary === "model",
    compactStartRatio: compact.startRatio,
    compactTargetRatio: compact.targetRatio,
    fingerprint: fingerprint({ rewrite, embed, search, rerank, prompt, generate }),
  };
}

function fingerprint(part: unknown): string {
  return createHash("sha256").update(JSON.stringify(part, modelByName)).digest("hex");
}

/** A model object of the AI SDK, which may hold anything, by its name. */
function modelByName(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("specificationVersion" in value)) return value;
  const { provider, modelId } = value as { readonly provider?: unknown; readonly modelId?: unknown };
  return [provider, modelId];
}
