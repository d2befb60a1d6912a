import { createO200kCounter } from "./adapters/token-counter/o200k.ts";
import { chooseEmbedders, wrapEmbedder } from "./compose/embedder.ts";
import { Instruments } from "./compose/instruments.ts";
import { chooseModels, wrapModel } from "./compose/language-model.ts";
import { pullMissing } from "./compose/onnx.ts";
import { opening } from "./compose/opened.ts";
import { chooseRerankers, wrapReranker } from "./compose/reranker.ts";
import { settings } from "./compose/settings.ts";
import { chooseCache, chooseIndex, chooseSessions } from "./compose/stores.ts";
import { chooseCounter } from "./compose/token-counter.ts";
import type { Config } from "./config.ts";
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
export function compose(
  config: Config,
  tracer?: Tracer,
  onTurnLost: RetriedSavesOptions["onLost"] = () => undefined,
): Promise<Composition> {
  return opening(async (opened) => {
    const { database } = opened;
    if (config.models.download) await pullMissing(config);
    const counter = opened.keep(await chooseCounter(config));
    const instruments = new Instruments(tracer, config.telemetry.content);
    const chosen = await chooseEmbedders(config, counter, instruments);
    const embedder = opened.keep(await wrapEmbedder(chosen, config.embed, counter, instruments));
    const rerankers = await chooseRerankers(config, counter, instruments);
    const reranker = opened.keep(rerankers && wrapReranker(rerankers, config.rerank, counter, instruments));
    const models = await chooseModels(config, chosen[0].port, instruments);
    const model = opened.keep(wrapModel(models, config.generate, instruments));
    const index = opened.keep(await chooseIndex(config.search, database, embedder, instruments));
    const cache = opened.keep(chooseCache(config.cache, database));
    const sessions = sizedSessions(await chooseSessions(config.session, database, instruments));
    const saves = opened.keep(
      retriedSaves(sessions, {
        turnsMax: config.save.waitingMax,
        charsMax: WAITING_CHARS_MAX,
        retryMs: config.save.retryMs,
        onLost: onTurnLost,
      }),
    );
    const stages: Stages = {
      sessions: saves,
      cache,
      embedder,
      index,
      reranker,
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
    };
  });
}

/** Deletes what an index on a server left there that was opened for a while; files are their owner's. */
export async function discardIndex({ search }: Config): Promise<void> {
  if (search.use !== "postgres") return;
  const { dropPostgresSchema } = await import("./adapters/passage-index/postgres.ts");
  await dropPostgresSchema(search);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}
