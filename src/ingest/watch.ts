import { setTimeout as sleep } from "node:timers/promises";
import { findBelow, findFiles, findNamed, isWithin, type LoadFailure } from "./files.ts";
import { type IngestOptions, type IngestReport, type IngestStages, ingestLoaded } from "./ingest.ts";
import { type LoadResult, loadFound } from "./load.ts";
import { createOwned, fileOf, SETTLE_MS } from "./owned.ts";
import { createOwner } from "./owner.ts";
import type { DocumentReader } from "./reader.ts";
import { createStamps, type Stamps } from "./stamps.ts";
import { createRoot, type RootEvents, type WatchedRoot } from "./watched-root.ts";

/** Changes are gathered until there were none for so long, and no longer than the second figure. */
const QUIET_MS = 200;
const GATHER_MS = 600;
/** After a failure of the embedder or the index: at first, doubled each time, and at most. */
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 60_000;
/** Network drives and some containers tell nothing of changes: files' times are looked at so often. */
const RESCAN_MS = 180_000;
/** Nobody tells that a root was swapped or moved: it is looked at so often. */
const ROOT_MS = 500;
/**
 * chokidar reads a new folder before it watches it, and tells of what is written in between neither then nor when the folder
 * goes: files' times are looked at so long after either.
 */
const FOLDER_MS = 1_000;

export interface WatchOptions extends Omit<IngestOptions, "onProgress"> {
  /** After the first run, and after every one that changed something or failed. */
  onReport?(report: IngestReport): void;
  /** The embedder or the index failed, and what changed is tried again; or a path is not there any more, which is told once. */
  onFailure?(thrown: unknown): void;
  /** Default 180,000. */
  readonly rescanMs?: number;
}

/**
 * Indexes the folders and files named, then keeps the index as they are until the signal aborts: what is added, changed, emptied,
 * renamed or deleted. Editors' temporary files are ignored. One file's failure is reported, and the rest goes on; its stored version
 * stays. So does all that was indexed of a folder that is not there; whatever takes its place is read in its stead.
 * @throws RaglineError `request_invalid`: a path is neither file nor folder.
 */
export async function watch(
  paths: readonly string[],
  stages: IngestStages & { readonly reader: DocumentReader },
  options: WatchOptions,
): Promise<void> {
  const { signal } = options;
  const stamps = createStamps();
  const owner = createOwner(stages.index, options);
  const changed = new Set<string>();
  /** To be looked at, files and all. */
  const due = new Set<WatchedRoot>();
  let wake = () => {};
  let changedAt = 0;
  let folders: NodeJS.Timeout | undefined;
  const rescan = () => {
    for (const root of roots) due.add(root);
    wake();
  };
  const events: RootEvents = {
    onFile(path) {
      changed.add(path);
      changedAt = performance.now();
      wake();
    },
    onFolder() {
      clearTimeout(folders);
      folders = setTimeout(rescan, FOLDER_MS);
    },
    onError: (thrown) => options.onFailure?.(thrown),
  };
  const roots = await Promise.all(paths.map((path) => createRoot(path, events, signal)));
  const rootOf = (path: string) => roots.find((root) => isWithin(root.path, path));
  const isWatched = (path: string) => rootOf(path) !== undefined;
  const owned = createOwned(stages.index, stamps, { ...options, owner, isWatched });
  const rescans = setInterval(rescan, options.rescanMs ?? RESCAN_MS);
  const stop = () => wake();
  signal.addEventListener("abort", stop, { once: true });

  async function lookAfter(root: WatchedRoot): Promise<void> {
    while (!signal.aborted) {
      await pause(ROOT_MS, signal);
      if (!(await root.hasMoved())) continue;
      due.add(root);
      wake();
    }
  }

  async function sync(batch: ReadonlySet<string> | null): Promise<void> {
    const seen = new Map<string, string>();
    const missing = new Set<string>();
    const loading = { reader: stages.reader, stamps, signal };
    const loaded = batch ? loadChanged([...batch], rootOf, missing, loading) : loadAll(roots, loading);
    const report = await ingestLoaded(
      loaded,
      stages,
      { ...options, prune: batch === null && options.prune },
      seen,
      owner,
    );
    const away = await rootsAway(batch ?? seen.values());
    const { removed, unsettled } = await owned.update({
      ...(batch && { files: batch }),
      missing,
      isAway: (path) => away.has(rootOf(path)),
      seen,
      failures: report.failures,
    });
    if (unsettled.size > 0) setTimeout(lookAgain, SETTLE_MS, unsettled).unref();
    const isTold = ({ path, isEmpty }: LoadFailure) => batch === null || !isEmpty || !unsettled.has(fileOf(path));
    const failures = report.failures.filter(isTold);
    const total = { ...report, failures, removed: report.removed + removed };
    if (batch === null || total.added + total.changed + total.removed + failures.length > 0) options.onReport?.(total);
  }

  /** Looked at after the files: one that was not there has not vanished with its root. */
  async function rootsAway(files: Iterable<string>): Promise<ReadonlySet<WatchedRoot | undefined>> {
    const away = new Set<WatchedRoot | undefined>();
    for (const root of new Set(Array.from(files, rootOf))) if (!(await root?.isInPlace())) away.add(root);
    return away;
  }

  function lookAgain(files: Iterable<string>): void {
    for (const path of files) changed.add(path);
    wake();
  }

  /** Resolves when something changed, and nothing more for a moment. */
  async function gathered(): Promise<void> {
    while (!signal.aborted) {
      for (const root of due) {
        due.delete(root);
        if (!(await root.follow())) continue;
        const found = root.isFolder ? await stamps.changed(root.path, signal) : [root.path];
        for (const path of found) changed.add(path);
      }
      if (changed.size > 0) break;
      await new Promise<void>((resume) => (wake = resume));
    }
    for (const since = performance.now(); !signal.aborted; ) {
      const quiet = performance.now() - changedAt;
      if (quiet >= QUIET_MS || performance.now() - since >= GATHER_MS) break;
      await pause(QUIET_MS - quiet, signal);
    }
  }

  try {
    for (const root of roots) await root.follow();
    for (const root of roots) void lookAfter(root);
    let isFirst = true;
    let retryMs = RETRY_MS;
    while (!signal.aborted) {
      const batch = new Set(changed);
      changed.clear();
      try {
        await sync(isFirst ? null : batch);
        isFirst = false;
        retryMs = RETRY_MS;
        await gathered();
      } catch (thrown) {
        if (signal.aborted) return;
        for (const path of batch) changed.add(path);
        options.onFailure?.(thrown);
        await pause(retryMs, signal);
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      }
    }
  } finally {
    clearInterval(rescans);
    clearTimeout(folders);
    signal.removeEventListener("abort", stop);
    await Promise.all(roots.map((root) => root.close()));
  }
}

interface Loading {
  readonly reader: DocumentReader;
  readonly stamps: Stamps;
  readonly signal: AbortSignal;
}

async function* loadAll(roots: readonly WatchedRoot[], loading: Loading): AsyncGenerator<LoadResult> {
  for await (const found of findFiles(roots.map(({ path }) => path))) {
    if ("file" in found) await loading.stamps.note(found.file.path);
    yield* loadFound(found, loading);
  }
}

/** What `loadAll` would give of the paths. Those where it would find nothing are added to `missing`. */
async function* loadChanged(
  paths: readonly string[],
  rootOf: (path: string) => WatchedRoot | undefined,
  missing: Set<string>,
  loading: Loading,
): AsyncGenerator<LoadResult> {
  for (const path of paths.toSorted()) {
    const root = rootOf(path);
    if (!root) continue;
    missing.add(path);
    for await (const found of root.isFolder ? findBelow(root.path, path) : findNamed(path)) {
      missing.delete(path);
      if ("file" in found) await loading.stamps.note(path);
      yield* loadFound(found, loading);
    }
  }
}

/** Ends early, without failing, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
