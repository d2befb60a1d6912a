import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type RebuildReport, rebuildDatabase } from "../adapters/sqlite/rebuild.ts";
import type { Config } from "../config.ts";
import { RaglineError } from "../errors.ts";

/** A SQLite file, and what the configuration keeps in it. */
export interface RebuildableFile {
  readonly path: string;
  readonly holdsIndex: boolean;
  readonly holdsSessions: boolean;
  /** Nobody may have it open. See `rebuildDatabase`. @throws RaglineError `config_invalid` */
  rebuild(): RebuildReport;
}

/** Every SQLite file that the configuration names and that is there, once. @throws RaglineError `config_invalid`: there is none */
export function rebuildableFiles({ search, session, cache }: Config): RebuildableFile[] {
  const paths = [search, session, cache].flatMap((part) => (part.use === "sqlite" ? [part.file] : []));
  if (paths.length === 0) {
    throw new RaglineError("config_invalid", "no part of the configuration has a SQLite file that could be rebuilt");
  }
  const isThere = paths.filter((path) => existsSync(resolve(path)));
  if (isThere.length === 0) {
    throw new RaglineError("config_invalid", `${paths[0]}: does not exist; index without --rebuild`);
  }
  const byFile = new Map(isThere.map((path) => [resolve(path), path]));
  return [...byFile].map(([file, path]) => {
    const holds = (part: Config["search" | "session"]) => part.use === "sqlite" && resolve(part.file) === file;
    const holdsIndex = holds(search);
    const holdsSessions = holds(session);
    const isDerived = !holdsIndex && !holdsSessions;
    return { path, holdsIndex, holdsSessions, rebuild: () => rebuildDatabase(path, { isDerived }) };
  });
}
