import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { findFiles } from "./files.ts";

/** Files as they were when they were read last, by size and times: tells what changed unseen. */
export interface Stamps {
  /** Call it before the file is read. */
  note(path: string): Promise<void>;
  forget(path: string): void;
  /**
   * Files below the sources that are new, changed or gone. None counts as gone where a folder cannot be listed, or where nothing is
   * found at all (a disk that is not mounted).
   */
  changed(sources: readonly string[], signal: AbortSignal): Promise<string[]>;
}

export function createStamps(): Stamps {
  const noted = new Map<string, string>();

  return {
    async note(path) {
      noted.set(resolve(path), await stampOf(path));
    },
    forget(path) {
      noted.delete(path);
    },
    async changed(sources, signal) {
      const seen = new Set<string>();
      const changed: string[] = [];
      let isWhole = true;
      for await (const found of findFiles(sources)) {
        signal.throwIfAborted();
        if ("failure" in found) {
          isWhole &&= found.failure.documentId !== undefined;
          continue;
        }
        const path = resolve(found.file.path);
        seen.add(path);
        if (noted.get(path) !== (await stampOf(path))) changed.push(path);
      }
      if (!isWhole || seen.size === 0) return changed;
      return [...changed, ...[...noted.keys()].filter((path) => !seen.has(path))];
    },
  };
}

async function stampOf(path: string): Promise<string> {
  const found: Stats | null = await stat(path).catch(() => null);
  return found ? `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}` : "";
}
