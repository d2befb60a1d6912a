import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { Database } from "../adapters/sqlite/database.ts";
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import { chooseEmbedders, wrapEmbedder } from "./embedder.ts";
import { Instruments } from "./instruments.ts";
import { pullMissing } from "./onnx.ts";
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
export async function composeSearching(config: Config): Promise<ComposedSearching> {
  const databases: Database[] = [];
  const database = (file: string) => {
    const opened = Database.open(file);
    databases.push(opened);
    return opened;
  };
  if (config.models.download) await pullMissing(config);
  const counter = await chooseCounter(config);
  const instruments = new Instruments(undefined, false);
  const embedder = await wrapEmbedder(
    await chooseEmbedders(config, counter, instruments),
    config.embed,
    counter,
    instruments,
  );
  const index = await chooseIndex(config.search, database, embedder, instruments);
  return {
    index,
    embedder,
    fusion: settings(config).fusion,
    async close() {
      for (const part of [index, embedder, counter]) await part.close?.();
      for (const opened of databases) await opened.close();
    },
  };
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
