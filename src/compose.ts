import { dropPostgresSchema } from "./adapters/passage-index/postgres.ts";
import { Database } from "./adapters/sqlite/database.ts";
import { type RebuildReport, rebuildDatabase } from "./adapters/sqlite/rebuild.ts";
import { createO200kCounter } from "./adapters/token-counter/o200k.ts";
import { chooseEmbedders, wrapEmbedder } from "./compose/embedder.ts";
import { Instruments } from "./compose/instruments.ts";
import { chooseModels, wrapModel } from "./compose/language-model.ts";
import { pullMissing } from "./compose/onnx.ts";
import { chooseRerankers, wrapReranker } from "./compose/reranker.ts";
import { settings } from "./compose/settings.ts";
import { chooseCache, chooseIndex, chooseSessions } from "./compose/stores.ts";
import { chooseCounter } from "./compose/token-counter.ts";
import type { Config } from "./config.ts";
import { RaglineError } from "./errors.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { Tracer } from "./telemetry/api.ts";
import { createWords } from "./text/words.ts";
import type { EndpointState, Step } from "./types.ts";
import { remembered } from "./wrap/remembered.ts";
import { type RetriedSavesOptions, retriedSaves, type SaveCounts } from "./wrap/retried-saves.ts";
import { sizedSessions } from "./wrap/sized-sessions.ts";

/** Of all turns that wait to be stored again. */
const WAITING_CHARS_MAX = 64_000_000;

export interface Composition {
  readonly stages: Stages;
  /** What became of turns. */
  saveCounts(): Readonly<SaveCounts>;
  /** Of all steps that are served at endpoints. */
  endpoints(): readonly EndpointState[];
  /** Calls that wait for their turn, by step. */
  queues(): { readonly step: Step; readonly waiting: number }[];
  /** Texts looked for among embedded ones. */
  vectorCounts(): { readonly hits: number; readonly misses: number };
  close(): Promise<void>;
}

/**
 * The one place that chooses implementations. `tracer`: for spans of the calls that leave this process; `onTurnLost`: told of a turn that
 * will not be stored, and why.
 * @throws RaglineError `config_invalid`: a file cannot be opened.
 */
export async function compose(
  config: Config,
  tracer?: Tracer,
  onTurnLost: RetriedSavesOptions["onLost"] = () => undefined,
): Promise<Composition> {
  const databases = new Map<string, Database>();
  const database = (file: string): Database => {
    const opened = databases.get(file) ?? Database.open(file);
    databases.set(file, opened);
    return opened;
  };
  if (config.models.download) await pullMissing(config);
  const counter = await chooseCounter(config);
  const instruments = new Instruments(tracer, config.telemetry.content);
  const chosen = await chooseEmbedders(config, counter, instruments);
  const embedder = await wrapEmbedder(chosen, config.embed, counter, instruments);
  const rerankers = await chooseRerankers(config, counter, instruments);
  const model = wrapModel(await chooseModels(config, chosen[0].port, instruments), config.generate, instruments);
  const saves = retriedSaves(sizedSessions(await chooseSessions(config.session, database, instruments)), {
    turnsMax: config.save.waitingMax,
    charsMax: WAITING_CHARS_MAX,
    retryMs: config.save.retryMs,
    onLost: onTurnLost,
  });
  const stages: Stages = {
    sessions: saves,
    cache: chooseCache(config.cache, database),
    embedder,
    index: await chooseIndex(config.search, database, embedder, instruments),
    reranker: rerankers && wrapReranker(rerankers, config.rerank, counter, instruments),
    model,
    get instructed() {
      return model.quotesOnly ? null : model;
    },
    counter,
    chunkCounter: once(async () => remembered(await createO200kCounter())),
    words: createWords(),
    settings: settings(config),
  };
  return {
    stages,
    saveCounts: saves.counts,
    endpoints: () => instruments.endpoints(),
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

/** Makes the index's file anew from what it records; nobody may have it open. See `rebuildDatabase`. @throws RaglineError */
export function rebuildIndex({ search }: Config): RebuildReport & { readonly file: string } {
  if (search.use === "sqlite") return { file: search.file, ...rebuildDatabase(search.file) };
  throw new RaglineError("config_invalid", `search.use: ${search.use} has no file here that could be rebuilt`);
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
