import { createStaticEmbedder } from "../adapters/embedder/static.ts";
import type { Config } from "../config.ts";
import { RaglineError } from "../errors.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { Tracer } from "../telemetry/api.ts";
import { closeAll } from "../wrap/close-all.ts";
import { chooseEmbedders, wrapEmbedder } from "./embedder.ts";
import { Instruments } from "./instruments.ts";
import { chooseModels, wrapModel } from "./language-model.ts";
import { pullMissing } from "./onnx.ts";
import { type Opened, opening } from "./opened.ts";
import { chooseRerankers, wrapReranker } from "./reranker.ts";
import { chooseIndex } from "./stores.ts";
import { chooseCounter } from "./token-counter.ts";

/** A vector space: its name, and the length of its vectors. */
type Space = Pick<Embedder, "model" | "dimensions">;

/** One port as it is configured, to be served alone. */
export type ComposedStage = { close(): Promise<void> } & Stage;

type Stage =
  | { readonly stage: "embed"; readonly port: Embedder }
  | { readonly stage: "rerank"; readonly port: Reranker }
  | { readonly stage: "generate"; readonly port: LanguageModel }
  | { readonly stage: "search"; readonly port: (space: Space | null) => Promise<PassageIndex>; readonly use: string };

/** Each holds its index in memory: during a move from one space to another there are two. The one not asked for longest makes room. */
const SPACES_MAX = 4;
/** Calls of an index that made room end within this. */
const CLOSING_MS = 60_000;

/**
 * One stage, and nothing that the others need. `tracer`: for spans of the calls that leave this process.
 * @throws RaglineError `config_invalid`: it cannot be opened, or `rerank.use` is `none`.
 */
export function composeStage(config: Config, stage: Stage["stage"], tracer?: Tracer): Promise<ComposedStage> {
  const instruments = new Instruments(tracer, config.telemetry.content);
  return opening((opened) => openStage(config, stage, instruments, opened));
}

async function openStage(
  config: Config,
  stage: Stage["stage"],
  instruments: Instruments,
  opened: Opened,
): Promise<Stage> {
  if (stage === "search") return openSearch(config, instruments, opened);
  if (config.models.download) await pullMissing(config);
  const counter = opened.keep(await chooseCounter(config));
  switch (stage) {
    case "embed": {
      const embedders = await chooseEmbedders(config, counter, instruments);
      return { stage, port: opened.keep(await wrapEmbedder(embedders, config.embed, counter, instruments)) };
    }
    case "rerank": {
      const rerankers = await chooseRerankers(config, counter, instruments);
      if (!rerankers) throw new RaglineError("config_invalid", "rerank.use: none leaves nothing to serve");
      return { stage, port: opened.keep(wrapReranker(rerankers, config.rerank, counter, instruments)) };
    }
    case "generate": {
      // Quoting compares sentences with the table that is here anyway.
      const models = await chooseModels(config, createStaticEmbedder(), instruments);
      return { stage, port: opened.keep(wrapModel(models, config.generate, instruments)) };
    }
  }
}

function openSearch(config: Config, instruments: Instruments, opened: Opened): Stage {
  const indexes = new Map<string, Promise<PassageIndex>>();
  const open = (space: Space) => chooseIndex(config.search, opened.database, space, instruments);
  const close = async (index: Promise<PassageIndex>) => (await index.catch(() => null))?.close?.();
  const makeRoom = () => {
    const [oldest] = indexes;
    if (!oldest) return;
    const [key, index] = oldest;
    indexes.delete(key);
    setTimeout(() => void close(index).catch(() => undefined), CLOSING_MS).unref();
  };
  const indexFor = (space: Space | null): Promise<PassageIndex> => {
    const [any] = indexes.values();
    if (!space && any) return any;
    const { model, dimensions } = space ?? { model: "", dimensions: 0 };
    const key = JSON.stringify([model, dimensions]);
    const index = indexes.get(key) ?? open({ model, dimensions });
    if (!indexes.has(key)) {
      index.catch(() => indexes.delete(key));
      if (indexes.size >= SPACES_MAX) makeRoom();
    }
    // The one asked for last is the last.
    indexes.delete(key);
    indexes.set(key, index);
    return index;
  };
  opened.keep({ close: () => closeAll([...indexes.values()].map((index) => ({ close: () => close(index) }))) });
  return { stage: "search", use: config.search.use, port: indexFor };
}
