import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Publishes ONNX conversions of most embedders and rerankers under their own names. */
const DEFAULT_OWNER = "Xenova";

/** `owner/name` of a model on the hub; a bare name is one of Xenova's. Null: it can only be a folder. */
export function repositoryOf(model: string): string | null {
  const repository = model.includes("/") ? model : `${DEFAULT_OWNER}/${model}`;
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(repository) ? repository : null;
}

/** Where the hub's own clients keep a repository, and so does `ragline models pull`. */
export function repositoryFolder(cacheFolder: string, repository: string): string {
  return join(cacheFolder, `models--${repository.replace("/", "--")}`);
}

export interface LocatedModel {
  readonly folder: string;
  /** What it is called in the vector space's name. */
  readonly name: string;
}

/** A model's folder: the path itself where it is one, else the hub's cache. Null: neither has it. */
export function locateModel(model: string, cacheFolder: string): LocatedModel | null {
  const folder = resolve(model);
  if (existsSync(join(folder, "config.json"))) return { folder, name: folder.split(/[\\/]/).at(-1) ?? model };
  const repository = repositoryOf(model);
  if (repository === null) return null;
  const snapshot = currentSnapshot(repositoryFolder(cacheFolder, repository));
  return snapshot !== null && existsSync(join(snapshot, "config.json")) ? { folder: snapshot, name: repository } : null;
}

function currentSnapshot(repository: string): string | null {
  try {
    return join(repository, "snapshots", readFileSync(join(repository, "refs/main"), "utf8").trim());
  } catch {
    return null;
  }
}
