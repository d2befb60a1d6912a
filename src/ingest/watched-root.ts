import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { type FSWatcher, watch as watchFiles } from "chokidar";
import { RaglineError } from "../errors.ts";
import { isIgnored } from "./files.ts";

export interface RootEvents {
  /** A file was added, changed or deleted. */
  onFile(path: string): void;
  /** A folder below came or went, or a link, which may stand where a folder was. */
  onFolder(): void;
  onError(thrown: unknown): void;
}

/**
 * A folder or file that is watched by its name: what a link leads to, and whatever takes its place. A folder that is not there, and
 * an empty one where another was (a disk that is not mounted), are missing; a file is only where its folder is.
 */
export interface WatchedRoot {
  /** Absolute; links in it stay. */
  readonly path: string;
  readonly isFolder: boolean;
  /** Whether what is there now is what is watched. */
  isInPlace(): Promise<boolean>;
  /** Whether `follow` would do anything. */
  hasMoved(): Promise<boolean>;
  /** Watches what is there now. Resolves to false where the root is missing, which is an error at the first time. */
  follow(): Promise<boolean>;
  close(): Promise<void>;
}

/** @throws RaglineError `request_invalid`: the path is neither file nor folder. */
export async function createRoot(name: string, events: RootEvents, signal: AbortSignal): Promise<WatchedRoot> {
  const path = resolve(name);
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory() && !found?.isFile()) {
    throw new RaglineError("request_invalid", `watch: ${name} is neither a file nor a folder`);
  }
  const isFolder = found.isDirectory();
  let watcher: FSWatcher | null = null;
  /** What is watched: null where nothing is, and undefined where it is not known any more. */
  let watched: string | null | undefined;
  let isFirst = true;

  async function place(): Promise<Place | null> {
    const now = await placeOf(path, isFolder);
    if (!now || now.identity === watched || isFirst) return now;
    return (await isEmpty(isFolder ? path : dirname(path))) ? null : now;
  }

  async function start(target: string): Promise<void> {
    const started = watchFiles(target, {
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (below) => isFolder && below !== target && isIgnored(basename(below)),
    });
    watcher = started;
    started.on("error", events.onError);
    started.on("all", (event, changed, stats) => {
      const isDirectory = event === "addDir" || event === "unlinkDir";
      if (isFolder && changed === target) watched = undefined;
      else if (!isDirectory) events.onFile(join(path, relative(target, changed)));
      if (isDirectory || stats?.isSymbolicLink()) events.onFolder();
    });
    const ready = Promise.withResolvers<void>();
    const stop = () => ready.resolve();
    started.once("ready", stop);
    signal.addEventListener("abort", stop, { once: true });
    await ready.promise;
    signal.removeEventListener("abort", stop);
  }

  return {
    path,
    isFolder,
    async isInPlace() {
      const now = await place();
      return now !== null && now.identity === watched;
    },
    async hasMoved() {
      return ((await place())?.identity ?? null) !== watched;
    },
    async follow() {
      const now = await place();
      if ((now?.identity ?? null) === watched) return now !== null;
      await watcher?.close();
      watched = now?.identity ?? null;
      isFirst = false;
      if (now) {
        await start(now.path);
      } else {
        const message = `watch: ${name} is not there, or an empty folder in its place: what was indexed of it stays until it is back`;
        events.onError(new RaglineError("dependency_failed", message));
      }
      return now !== null;
    },
    async close() {
      await watcher?.close();
    },
  };
}

interface Place {
  /** Without links. */
  readonly path: string;
  /** The same only while nothing else takes its place. */
  readonly identity: string;
}

async function placeOf(path: string, isFolder: boolean): Promise<Place | null> {
  const folder = await stat(isFolder ? path : dirname(path)).catch(() => null);
  if (!folder?.isDirectory()) return null;
  const target = await realpath(path).catch(() => null);
  const isLinkToNothing = target === null && (await lstat(path).catch(() => null)) !== null;
  if (isLinkToNothing || (isFolder && target === null)) return null;
  const place = target ?? path;
  return { path: place, identity: `${folder.dev} ${folder.ino} ${place}` };
}

async function isEmpty(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).every(isIgnored);
}
