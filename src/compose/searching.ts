import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import { chooseEmbedders, wrapEmbedder } from "./embedder.ts";
import { Instruments } from "./instruments.ts";
import { pullMissing } from "./onnx.ts";
import { opening } from "./opened.ts";
import { settings } from "./settings.ts";
import { chooseIndex } from "./stores.ts";
import { chooseCounter } from "./token-counter.ts";

/** What searching needs, without what answering does. */
export interface ComposedSearching {
  readonly index: PassageIndex;
  readonly embedder: Embedder;
  readonly fusion: ReturnType<typeof settings>["fusion"];
  close(): Promise<void>;
}

/** @throws RaglineError `config_invalid`: a file cannot be opened, or a client is not installed. */
export function composeSearching(config: Config): Promise<ComposedSearching> {
  return opening(async (opened) => {
    if (config.models.download) await pullMissing(config);
    const counter = opened.keep(await chooseCounter(config));
    const instruments = new Instruments(undefined, false);
    const chosen = await chooseEmbedders(config, counter, instruments);
    const embedder = opened.keep(await wrapEmbedder(chosen, config.embed, counter, instruments));
    const index = opened.keep(await chooseIndex(config.search, opened.database, embedder, instruments));
    return { index, embedder, fusion: settings(config).fusion };
  });
}

/** Where an index's data lies: the same for two configurations of one place, as far as can be told without asking. */
export function placeOf(search: Config["search"]): string {
  if (search.use === "sqlite") return JSON.stringify(["sqlite", realPath(search.file)]);
  const { use, url = "", schema = "", prefix = "" } = search as Record<string, unknown>;
  return JSON.stringify([use, url, schema, prefix]);
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return resolve(file);
  }
}
