import type { Dirent, Stats } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import * as tinyglobby from "tinyglobby";

export interface LoadFailure {
  /** The file as it was named or found; `:<line>` after it for one line of a JSONL file. */
  readonly path: string;
  /** The end of a sentence that starts with the path: "has no text". */
  readonly reason: string;
  /** The only document that is missing because of it; absent: unknown, possibly several. */
  readonly documentId?: string;
  /** The document was read, and has no text: what is stored of it is not what the source says any more. */
  readonly isEmpty?: true;
}

export type FileFormat = "markdown" | "text" | "html" | "pdf" | "docx" | "pptx" | "xlsx" | "hwp" | "hwpx" | "jsonl";

export interface SourceFile {
  readonly path: string;
  /** The path relative to the folder that was named, with forward slashes; the file's name where a file was named. */
  readonly id: string;
  readonly format: FileFormat;
  readonly bytes: number;
}

const FORMATS: Readonly<Record<string, FileFormat>> = {
  ".md": "markdown",
  ".markdown": "markdown",
  ".txt": "text",
  ".html": "html",
  ".htm": "html",
  ".pdf": "pdf",
  ".docx": "docx",
  ".docm": "docx",
  ".pptx": "pptx",
  ".pptm": "pptx",
  ".ppsx": "pptx",
  ".xlsx": "xlsx",
  ".xlsm": "xlsx",
  ".hwp": "hwp",
  ".hwpx": "hwpx",
  ".jsonl": "jsonl",
};

export type Found = { readonly file: SourceFile } | { readonly failure: LoadFailure };

/**
 * The files that the sources (files, folders, globs) name, in a stable order, without repetition. Folders are walked
 * without dot files and `node_modules`; links to folders are not followed, and links that lead out of the folder fail.
 * `onUnsupported` is told each file in a folder whose format is not read.
 */
export async function* findFiles(sources: readonly string[], onUnsupported: Told = () => undefined): Walk {
  const seen = new Set<string>();
  for (const source of sources) {
    for await (const found of filesOf(source, onUnsupported)) {
      if ("file" in found) {
        const path = resolve(found.file.path);
        if (seen.has(path)) continue;
        seen.add(path);
      }
      yield found;
    }
  }
}

/** What `findFiles` of the folder finds at one path below it that is no folder: nothing where the walk does not come there. */
export async function* findBelow(folder: string, path: string): Walk {
  if (path === folder) return;
  const realRoot = await realpath(folder).catch(() => null);
  const parent = dirname(path);
  const realParent = await realpath(parent).catch(() => null);
  if (realRoot === null || realParent !== join(realRoot, relative(folder, parent))) return;
  const item = await lstat(path).catch(() => null);
  if (item && !item.isDirectory()) yield* visit(folder, path, item, realRoot, () => undefined);
}

/** A file as whoever names it finds it: a link is followed. Nothing where there is none. */
export async function* findNamed(path: string): Walk {
  const found = await statOf(path);
  if (found) yield namedFile(path, found);
}

/**
 * Size of everything that the sources name, for an estimate of the time left; and how many files are passed over, by how their names end.
 */
export async function measureSources(
  sources: readonly string[],
  options: { readonly signal: AbortSignal },
): Promise<{ readonly files: number; readonly bytes: number; readonly unsupported: ReadonlyMap<string, number> }> {
  const unsupported = new Map<string, number>();
  const total = { files: 0, bytes: 0, unsupported };
  const onUnsupported = (path: string) => {
    const ending = extname(path).toLowerCase();
    unsupported.set(ending, (unsupported.get(ending) ?? 0) + 1);
  };
  for await (const found of findFiles(sources, onUnsupported)) {
    options.signal.throwIfAborted();
    if (!("file" in found)) continue;
    total.files++;
    total.bytes += found.file.bytes;
  }
  return total;
}

type Walk = AsyncGenerator<Found>;
type Told = (path: string) => void;

async function* filesOf(source: string, onUnsupported: Told): Walk {
  const found = await statOf(source);
  if (found?.isDirectory()) yield* walk(source, source, await realpath(source), onUnsupported);
  else if (found) yield namedFile(source, found);
  else if (tinyglobby.isDynamicPattern(source)) yield* globbed(source);
  else yield { failure: { path: source, reason: "does not exist" } };
}

function namedFile(path: string, stats: Stats): Found {
  const id = toId(basename(resolve(path)));
  const format = formatOf(path);
  if (!stats.isFile()) return { failure: { path, documentId: id, reason: "is not a regular file" } };
  if (format) return { file: { path, id, format, bytes: stats.size } };
  const reason = `has a format that is not supported (${Object.keys(FORMATS).join(", ")})`;
  return { failure: { path, documentId: id, reason } };
}

async function* globbed(pattern: string): Walk {
  const base = staticPartOf(pattern);
  const paths = await tinyglobby.glob(pattern, {
    ignore: "**/node_modules/**",
    followSymbolicLinks: false,
    expandDirectories: false,
  });
  const supported = paths.filter(formatOf).sort(byCodeUnit);
  if (supported.length === 0) yield { failure: { path: pattern, reason: "matches no file of a supported format" } };
  for (const path of supported) yield* entry(path, toId(relative(base, path)));
}

/** The folders of a glob before its first magic part: `docs/**` + `/*.md` gives `docs`. */
function staticPartOf(pattern: string): string {
  const parts = pattern.split("/");
  const magic = parts.findIndex((part) => tinyglobby.isDynamicPattern(part));
  return parts.slice(0, magic).join("/") || (pattern.startsWith("/") ? "/" : ".");
}

async function* walk(root: string, folder: string, realRoot: string, onUnsupported: Told): Walk {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (thrown) {
    yield { failure: { path: folder, reason: `cannot be listed (${codeOf(thrown)})` } };
    return;
  }
  entries.sort((a, b) => byCodeUnit(a.name, b.name));
  for (const item of entries) {
    if (isIgnored(item.name)) continue;
    const path = join(folder, item.name);
    if (item.isDirectory()) yield* walk(root, path, realRoot, onUnsupported);
    else yield* visit(root, path, item, realRoot, onUnsupported);
  }
}

async function* visit(root: string, path: string, item: Dirent | Stats, realRoot: string, onUnsupported: Told): Walk {
  const id = toId(relative(root, path));
  if (item.isSymbolicLink()) yield* linked(path, id, realRoot);
  else if (item.isFile() && formatOf(path)) yield* entry(path, id);
  else if (item.isFile()) onUnsupported(path);
}

/** Whether the path is the place, or below it. */
export function isWithin(place: string, path: string): boolean {
  return path === place || isBelow(place, path);
}

function isBelow(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

async function* linked(path: string, id: string, realRoot: string): Walk {
  const target = await realpath(path).catch(() => null);
  const isInside = target !== null && isBelow(realRoot, target);
  const isFolder = target !== null && target !== realRoot && (await statOf(target))?.isDirectory();
  if (target === realRoot || (isInside && isFolder)) return;
  if (isInside) {
    if (formatOf(path)) yield* entry(path, id);
  } else if (target === null && formatOf(path)) {
    yield { failure: { path, documentId: id, reason: "is a link to nothing" } };
  } else if (isFolder || formatOf(path)) {
    const reason = "is a link out of the folder, which is not followed: name its target instead";
    yield { failure: { path, reason, ...(!isFolder && { documentId: id }) } };
  }
}

async function* entry(path: string, id: string): Walk {
  const format = formatOf(path);
  const stats = await statOf(path);
  if (!format) return;
  if (stats?.isFile()) yield { file: { path, id, format, bytes: stats.size } };
  else if (!stats) yield { failure: { path, documentId: id, reason: "does not exist any more" } };
}

/** Dot files, `node_modules`, and what editors leave beside a file that is open: `~$note.docx`, `note.md~`, `#note.md#`. */
export function isIgnored(name: string): boolean {
  return /^(?:\.|~\$|#.*#$|node_modules$)|(?:~|\.(?:sw[a-z]|tmp|temp|bak|crdownload|part))$/i.test(name);
}

/** The same order on every machine, whatever its language. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function formatOf(path: string): FileFormat | undefined {
  return FORMATS[extname(path).toLowerCase()];
}

function toId(path: string): string {
  return path.split(sep).join("/").normalize("NFC");
}

async function statOf(path: string): Promise<Stats | null> {
  return stat(path).catch(() => null);
}

/** The system's error code, e.g. `EACCES`. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : String(thrown);
}
