import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import { repositoryFolder, repositoryOf } from "./cache.ts";
import { chooseDtype, DTYPES, type Dtype, isNeeded } from "./files.ts";

export interface PullOptions {
  /** E.g. `https://huggingface.co`, or a mirror of it. */
  readonly endpoint: string;
  /** The hub clients' cache: `~/.cache/huggingface/hub`. */
  readonly cacheFolder: string;
  readonly token?: string | undefined;
  /** Default: the first of `DTYPES` that the repository has. */
  readonly dtype?: Dtype | undefined;
  readonly signal: AbortSignal;
  onProgress?(progress: PullProgress): void;
}

export interface PullProgress {
  /** The file under way. */
  readonly file: string;
  readonly bytes: number;
  readonly bytesTotal: number;
}

export interface PullReport {
  readonly repository: string;
  readonly folder: string;
  readonly dtype: Dtype;
  readonly bytesTotal: number;
  /** Fetched now; the rest was there already. */
  readonly bytesFetched: number;
}

/** Limit for the silence of the hub: before an answer, and between two pieces of a file. */
const SILENCE_MS = 30_000;

const revisionSchema = z.object({ sha: z.string().regex(/^[0-9a-f]{6,64}$/) });
const treeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    size: z.int().min(0).default(0),
    lfs: z.object({ oid: z.string(), size: z.int().min(0) }).optional(),
  }),
);

interface RemoteFile {
  readonly path: string;
  readonly size: number;
  /** Of files in large-file storage. */
  readonly sha256: string | null;
}

/**
 * Fetches what is needed to run a model into the hub clients' cache, file by file; whole files that are there are kept.
 * Lengths, and hashes where the hub names them, are checked before a file takes its place.
 * @throws RaglineError `request_invalid`: no such model, or none of its files fits; `dependency_failed`: the hub's answer, or a
 * folder that takes no file.
 */
export async function pullModel(model: string, options: PullOptions): Promise<PullReport> {
  const repository = repositoryOf(model);
  if (repository === null) {
    throw new RaglineError(
      "request_invalid",
      `model: "${model}" is not a name on the hub, e.g. Xenova/all-MiniLM-L6-v2`,
    );
  }
  const api = `/api/models/${repository}`;
  const { sha } = parsed(revisionSchema, await readJson(`${api}/revision/main`, repository, options), repository);
  const tree = parsed(treeSchema, await readJson(`${api}/tree/${sha}?recursive=true`, repository, options), repository);
  const paths = new Set(tree.filter(({ type }) => type === "file").map(({ path }) => path));
  const dtype = chooseDtype(options.dtype, (file) => paths.has(file));
  if (dtype === null) {
    const wanted = options.dtype ?? `any of ${DTYPES.join(", ")}`;
    throw new RaglineError("request_invalid", `model: ${repository} has no ONNX file for dtype ${wanted}`);
  }
  const files = tree
    .filter(({ type, path }) => type === "file" && isNeeded(path, dtype))
    .map(({ path, size, lfs }): RemoteFile => ({ path, size: lfs?.size ?? size, sha256: lfs?.oid ?? null }));
  const folder = join(repositoryFolder(options.cacheFolder, repository), "snapshots", sha);
  const bytesTotal = files.reduce((sum, { size }) => sum + size, 0);
  let bytes = 0;
  let bytesFetched = 0;
  for (const file of files) {
    const before = bytes;
    const report = () => options.onProgress?.({ file: file.path, bytes, bytesTotal });
    if (!(await isThere(join(folder, file.path), file.size))) {
      await fetchFile(repository, sha, file, join(folder, file.path), options, (length) => {
        bytes += length;
        report();
      });
      bytesFetched += file.size;
    }
    bytes = before + file.size;
    report();
  }
  const refs = join(repositoryFolder(options.cacheFolder, repository), "refs");
  await mkdir(refs, { recursive: true });
  await writeFile(join(refs, "main"), sha);
  return { repository, folder, dtype, bytesTotal, bytesFetched };
}

async function isThere(path: string, size: number): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.size === size;
}

async function fetchFile(
  repository: string,
  sha: string,
  file: RemoteFile,
  target: string,
  options: PullOptions,
  onBytes: (length: number) => void,
): Promise<void> {
  const silence = silenceLimit(options.signal);
  const partial = `${target}.${process.pid}.partial`;
  const hash = createHash("sha256");
  let length = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      silence.restart();
      length += chunk.length;
      hash.update(chunk);
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  try {
    await mkdir(dirname(target), { recursive: true });
    const path = `/${repository}/resolve/${sha}/${file.path.split("/").map(encodeURIComponent).join("/")}`;
    const response = await request(path, repository, options, silence.signal);
    if (!response.body) throw failed(repository, `${file.path} came without a body`);
    await pipeline(response.body, counted, createWriteStream(partial), { signal: silence.signal });
    if (length !== file.size) throw failed(repository, `${file.path} has ${length} bytes instead of ${file.size}`);
    if (file.sha256 !== null && hash.digest("hex") !== file.sha256) {
      throw failed(repository, `${file.path} does not have the hash that the hub names`);
    }
    await rename(partial, target);
  } catch (thrown) {
    await rm(partial, { force: true }).catch(() => undefined);
    options.signal.throwIfAborted();
    if (thrown instanceof RaglineError) throw thrown;
    // The file system's errors name the call that failed, those of fetch do not.
    const isOurs = thrown instanceof Error && "syscall" in thrown;
    throw failed(repository, isOurs ? `${target} cannot be written` : `${file.path} was cut`, thrown);
  } finally {
    silence.end();
  }
}

async function readJson(path: string, repository: string, options: PullOptions): Promise<unknown> {
  const silence = silenceLimit(options.signal);
  try {
    return await (await request(path, repository, options, silence.signal)).json();
  } catch (thrown) {
    options.signal.throwIfAborted();
    throw thrown instanceof RaglineError ? thrown : failed(repository, "not readable as JSON", thrown);
  } finally {
    silence.end();
  }
}

async function request(
  path: string,
  repository: string,
  { endpoint, token, signal }: PullOptions,
  limited: AbortSignal,
): Promise<Response> {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const ask = () => fetch(`${endpoint.replace(/\/+$/, "")}${path}`, { headers, signal: limited });
  // A second time: a connection that was kept open may have been closed meanwhile.
  const response = await ask()
    .catch(ask)
    .catch((cause: unknown) => {
      signal.throwIfAborted();
      throw failed(repository, "no answer", cause);
    });
  if (response.ok) return response;
  await response.body?.cancel();
  if ([401, 403, 404].includes(response.status)) {
    const message = `model: the hub has no ${repository} for you (status ${response.status}); a private one needs models.token`;
    throw new RaglineError("request_invalid", message);
  }
  throw failed(repository, `status ${response.status}`);
}

/** Aborts with the caller, or when nothing came for too long. */
function silenceLimit(caller: AbortSignal) {
  const controller = new AbortController();
  const onAbort = () => controller.abort(caller.reason);
  caller.addEventListener("abort", onAbort, { once: true });
  if (caller.aborted) onAbort();
  const timer = setTimeout(() => controller.abort(new Error(`silent for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
  return {
    signal: controller.signal,
    restart: () => void timer.refresh(),
    end: () => {
      clearTimeout(timer);
      caller.removeEventListener("abort", onAbort);
    },
  };
}

function parsed<S extends z.ZodType>(schema: S, value: unknown, repository: string): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw failed(repository, `an answer of another shape: ${result.error.message}`);
  return result.data;
}

function failed(repository: string, reason: string, cause?: unknown): RaglineError {
  return new RaglineError("dependency_failed", `Fetching ${repository} from the hub failed: ${reason}.`, { cause });
}
