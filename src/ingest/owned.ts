import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { LoadFailure } from "./files.ts";
import { openChange } from "./open-change.ts";
import type { Pruning } from "./prune.ts";
import type { Stamps } from "./stamps.ts";

/** Editors empty a file before they write it: what it lacks is deleted only once it has not changed for this long. */
export const SETTLE_MS = 1_000;

/** The result of reading files. */
export interface ReadFiles {
  /** The paths that were read; absent: all. */
  readonly files?: ReadonlySet<string>;
  /** Paths that no longer exist. */
  readonly missing: ReadonlySet<string>;
  /** Whether the root above the path is missing itself: then nothing below it counts as deleted. */
  isAway(path: string): boolean;
  /** The file of each document, by its id. */
  readonly seen: ReadonlyMap<string, string>;
  readonly failures: readonly LoadFailure[];
}

/** Which documents came from which files. */
export interface Owned {
  /**
   * Deletes what the files held and do not hold any more, or hold without a text; what could not be read keeps its stored version.
   * `unsettled` are files that may be half written: nothing is deleted of them, and they should be read again after `SETTLE_MS`.
   */
  update(read: ReadFiles): Promise<{ readonly removed: number; readonly unsettled: ReadonlySet<string> }>;
}

export interface OwnedOptions extends Pruning {
  /** Whether changes of the file are told. */
  isWatched(path: string): boolean;
}

export function createOwned(index: PassageIndex, stamps: Stamps, options: OwnedOptions): Owned {
  const { owner, signal, onOpenChange, isWatched } = options;
  const owned = new Map<string, Set<string>>();

  /** A document that was indexed from the file before watching began belongs to the file as well. */
  async function claim({ path, documentId }: LoadFailure): Promise<void> {
    if (documentId === undefined) return;
    const stored = await index.find(await owner.scope(), documentId, { signal });
    if (stored?.source === fileOf(path)) addTo(owned, stored.source, documentId);
  }

  /** Resolves to whether the document existed, and came from no file elsewhere that is still there: such a one has the same text. */
  async function remove(id: string): Promise<boolean> {
    const scope = await owner.scope();
    const stored = await index.find(scope, id, { signal });
    const source = stored?.source;
    if (source !== undefined && !isWatched(source) && (await stat(source).catch(() => null))) return false;
    if (!(await index.delete(scope, id, { signal }))) return false;
    onOpenChange?.(openChange(stored, null));
    return true;
  }

  return {
    async update({ missing, isAway, seen, failures, ...read }) {
      const emptied = failures.filter(({ isEmpty }) => isEmpty);
      for (const failure of emptied) await claim(failure);
      const emptiedIds = new Set(emptied.map(({ documentId }) => documentId));
      const emptiedFiles = new Set(emptied.map(({ path }) => fileOf(path)));
      const unread = new Set(failures.flatMap(({ path, isEmpty }) => (isEmpty ? [] : [fileOf(path)])));
      const now = new Map<string, Set<string>>();
      for (const [id, path] of seen) addTo(now, resolve(path), id);
      const files = read.files ?? new Set([...now.keys(), ...emptiedFiles]);
      const elsewhere = new Set(seen.keys());
      for (const [path, ids] of owned) if (!files.has(path)) for (const id of ids) elsewhere.add(id);
      const unsettled = new Set<string>();
      let removed = 0;
      for (const path of files) {
        const isKept = (id: string) => isAway(path) || (unread.has(path) && !emptiedIds.has(id));
        const isGone = missing.has(path) && !isAway(path);
        const held = now.get(path) ?? new Set<string>();
        const lost: string[] = [];
        for (const id of owned.get(path) ?? []) {
          if (isKept(id)) held.add(id);
          else if (!held.has(id) && !elsewhere.has(id)) lost.push(id);
        }
        const isLess = lost.length > 0 || emptiedFiles.has(path);
        if (isLess && !isGone && stamps.unchangedMs(path) < SETTLE_MS) {
          unsettled.add(path);
          for (const id of lost) held.add(id);
        } else {
          for (const id of lost) if (await remove(id)) removed++;
        }
        if (isGone) stamps.forget(path);
        if (held.size > 0) owned.set(path, held);
        else owned.delete(path);
      }
      return { removed, unsettled };
    },
  };
}

/** The file of a failure: for JSONL the failure's path ends in a line number. */
export function fileOf(path: string): string {
  return resolve(path.replace(/:\d+$/, ""));
}

function addTo(sets: Map<string, Set<string>>, path: string, id: string): void {
  sets.set(path, (sets.get(path) ?? new Set()).add(id));
}
