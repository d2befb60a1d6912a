import { stat } from "node:fs/promises";
import { basename, relative, resolve, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { watch as watchFiles } from "chokidar";
import { RaglineError } from "../errors.ts";
import { findFiles, isIgnored, type SourceFile } from "./files.ts";
import { type IngestOptions, type IngestReport, type IngestStages, ingestLoaded } from "./ingest.ts";
import { type LoadResult, loadFound } from "./load.ts";
import type { DocumentReader } from "./reader.ts";
import { createStamps, type Stamps } from "./stamps.ts";

/** Changes are gathered until there were none for so long, and no longer than the second figure. */
const QUIET_MS = 200;
const GATHER_MS = 600;
/** After a failure of the embedder or the index: at first, doubled each time, and at most. */
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 60_000;
/** Network drives and some containers tell nothing of changes: files' times are looked at so often. */
const RESCAN_MS = 180_000;
/**
 * chokidar reads a new folder before it watches it, and tells of what is written in between neither then nor when the folder
 * goes: files' times are looked at so long after either.
 */
const FOLDER_MS = 1_000;

export interface WatchOptions extends Omit<IngestOptions, "onProgress"> {
  /** After the first run, and after every one that changed something or failed. */
  onReport?(report: IngestReport): void;
  /** The embedder or the index failed; what changed is tried again. */
  onFailure?(thrown: unknown): void;
  /** Default 180,000. */
  readonly rescanMs?: number;
}

/**
 * Indexes the folders and files named, then keeps the index as they are until the signal aborts: what is added, changed, renamed or
 * deleted. Editors' temporary files are ignored. One file's failure is reported, and the rest goes on; its stored version stays.
 * @throws RaglineError `request_invalid`: a path is neither file nor folder.
 */
export async function watch(
  paths: readonly string[],
  stages: IngestStages & { readonly reader: DocumentReader },
  options: WatchOptions,
): Promise<void> {
  const { signal } = options;
  const roots = await Promise.all(paths.map(rootOf));
  const owned = new Map<string, Set<string>>();
  const stamps = createStamps();
  const changed = new Set<string>();
  let wake = () => {};
  let changedAt = 0;
  const watcher = watchFiles(
    roots.map(({ path }) => path),
    {
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => !roots.some((root) => root.path === path) && isIgnored(basename(path)),
    },
  );
  let isRescanDue = false;
  const rescan = () => {
    isRescanDue = true;
    wake();
  };
  const rescans = setInterval(rescan, options.rescanMs ?? RESCAN_MS);
  let folders: NodeJS.Timeout | undefined;
  watcher.on("all", (event, path) => {
    if (event === "addDir" || event === "unlinkDir") {
      clearTimeout(folders);
      folders = setTimeout(rescan, FOLDER_MS);
      return;
    }
    changed.add(resolve(path));
    changedAt = performance.now();
    wake();
  });
  watcher.on("error", (thrown) => options.onFailure?.(thrown));
  const stop = () => wake();
  signal.addEventListener("abort", stop, { once: true });

  async function sync(batch: ReadonlySet<string> | null): Promise<void> {
    const seen = new Map<string, string>();
    const loaded = batch
      ? loadChanged([...batch], roots, { reader: stages.reader, stamps, signal })
      : loadAll(roots, { reader: stages.reader, stamps, signal });
    const report = await ingestLoaded(loaded, stages, { ...options, prune: batch === null && options.prune }, seen);
    const removed = await forget(batch, seen, report);
    const total = { ...report, removed: report.removed + removed };
    if (batch === null || total.added + total.changed + total.removed + total.failures.length > 0)
      options.onReport?.(total);
  }

  /** Deletes what files held and do not hold any more; what could not be read keeps its stored version. */
  async function forget(
    batch: ReadonlySet<string> | null,
    seen: Map<string, string>,
    report: IngestReport,
  ): Promise<number> {
    for (const path of batch ?? []) if (!(await stat(path).catch(() => null))) stamps.forget(path);
    const now = new Map<string, Set<string>>();
    for (const [id, path] of seen) now.set(resolve(path), (now.get(resolve(path)) ?? new Set()).add(id));
    const failed = new Set(report.failures.map(({ path }) => resolve(path.replace(/:\d+$/, ""))));
    const elsewhere = new Set<string>(seen.keys());
    for (const [path, ids] of owned) if (!batch?.has(path)) for (const id of ids) elsewhere.add(id);
    let removed = 0;
    for (const path of batch ?? now.keys()) {
      const before = owned.get(path) ?? new Set<string>();
      const ids = now.get(path) ?? new Set<string>();
      if (failed.has(path)) for (const id of before) ids.add(id);
      for (const id of before) {
        if (ids.has(id) || elsewhere.has(id)) continue;
        if (await stages.index.delete(options.scope, id, { signal })) removed++;
      }
      if (ids.size > 0) owned.set(path, ids);
      else owned.delete(path);
    }
    return removed;
  }

  /** Resolves when something changed, and nothing more for a moment. */
  async function gathered(): Promise<void> {
    while (changed.size === 0 && !signal.aborted) {
      if (!isRescanDue) await new Promise<void>((resume) => (wake = resume));
      if (!isRescanDue || signal.aborted) continue;
      isRescanDue = false;
      for (const path of await stamps.changed(paths, signal)) changed.add(path);
    }
    for (const since = performance.now(); !signal.aborted; ) {
      const quiet = performance.now() - changedAt;
      if (quiet >= QUIET_MS || performance.now() - since >= GATHER_MS) break;
      await pause(QUIET_MS - quiet, signal);
    }
  }

  try {
    await new Promise<void>((ready) => watcher.once("ready", ready));
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
    await watcher.close();
  }
}

interface Root {
  readonly path: string;
  readonly isFolder: boolean;
}

async function rootOf(path: string): Promise<Root> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory() || found?.isFile()) return { path: resolve(path), isFolder: found.isDirectory() };
  throw new RaglineError("request_invalid", `watch: ${path} is neither a file nor a folder`);
}

interface Loading {
  readonly reader: DocumentReader;
  readonly stamps: Stamps;
  readonly signal: AbortSignal;
}

async function* loadAll(roots: readonly Root[], loading: Loading): AsyncGenerator<LoadResult> {
  for await (const found of findFiles(roots.map(({ path }) => path))) {
    if ("file" in found) await loading.stamps.note(found.file.path);
    yield* loadFound(found, loading);
  }
}

/** The files among the paths that are there; the ids are those that `findFiles` would give them. */
async function* loadChanged(
  paths: readonly string[],
  roots: readonly Root[],
  loading: Loading,
): AsyncGenerator<LoadResult> {
  for (const path of paths.toSorted()) {
    const root = roots.find((one) => path === one.path || path.startsWith(one.path + sep));
    if (!root || !(await stat(path).catch(() => null))) continue;
    for await (const found of findFiles([path])) {
      if (!("file" in found)) continue;
      const id = root.isFolder ? relative(root.path, path).split(sep).join("/").normalize("NFC") : found.file.id;
      const file: SourceFile = { ...found.file, id };
      await loading.stamps.note(path);
      yield* loadFound({ file }, loading);
    }
  }
}

/** Ends early, without failing, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
