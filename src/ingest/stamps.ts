import type { Stats } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { findFiles, isWithin } from "./files.ts";

/** Files as they were when they were read last, by size and times: tells what changed unseen. */
export interface Stamps {
  /** Call it before the file is read. */
  note(path: string): Promise<void>;
  forget(path: string): void;
  /** For how long the file was noted without a change between. */
  unchangedMs(path: string): number;
  /**
   * Files at or below the source that are new, changed or gone. None counts as gone that a failure may hide (a folder that cannot be
   * listed, a source that is not there), nor where nothing is found at all (a disk that is not mounted).
   */
  changed(source: string, signal: AbortSignal): Promise<string[]>;
}

export function createStamps(): Stamps {
  const noted = new Map<string, { readonly stamp: string; readonly since: number }>();

  return {
    async note(path) {
      const stamp = await stampOf(path);
      const key = resolve(path);
      if (noted.get(key)?.stamp !== stamp) noted.set(key, { stamp, since: performance.now() });
    },
    forget(path) {
      noted.delete(path);
    },
    unchangedMs(path) {
      const found = noted.get(path);
      return found ? performance.now() - found.since : 0;
    },
    async changed(source, signal) {
      const seen = new Set<string>();
      const hidden: string[] = [];
      const changed: string[] = [];
      let isAnyFound = false;
      for await (const found of findFiles([source])) {
        signal.throwIfAborted();
        const path = resolve("file" in found ? found.file.path : found.failure.path);
        seen.add(path);
        if ("failure" in found) {
          if (!(await isLink(path))) hidden.push(path);
          continue;
        }
        isAnyFound = true;
        if (noted.get(path)?.stamp !== (await stampOf(path))) changed.push(path);
      }
      if (!isAnyFound) return changed;
      const isGone = (path: string) =>
        isWithin(resolve(source), path) && !seen.has(path) && !hidden.some((place) => isWithin(place, path));
      return [...changed, ...[...noted.keys()].filter(isGone)];
    },
  };
}

/** Nothing below a link is ever read. */
async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() ?? false;
}

async function stampOf(path: string): Promise<string> {
  const found: Stats | null = await stat(path).catch(() => null);
  return found ? `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}` : "";
}
