import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { createBreather } from "../breather.ts";
import { RaglineError } from "../errors.ts";
import { InFlight } from "../in-flight.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { passageText } from "../text/passage-text.ts";
import type { Document, DocumentEntry, PassageInput, Scope } from "../types.ts";
import { createEmbedBatcher, type EmbedBatcher } from "./batch.ts";
import { type Chunk, type ChunkOptions, chunks } from "./chunk.ts";
import type { SourceDocument } from "./document.ts";
import type { LoadFailure } from "./files.ts";
import { type LoadResult, loadDocuments } from "./load.ts";
import { prune } from "./prune.ts";
import type { DocumentReader } from "./reader.ts";
import { storedAs } from "./stored-as.ts";

/** Part of every stored hash: raise it when the same document and options give other passages. */
const CHUNKER_VERSION = 3;

/** What ingestion needs of the pipeline. */
export interface IngestStages {
  readonly embedder: Embedder;
  readonly index: PassageIndex;
  readonly counter: TokenCounter;
  /** Absent: one for the call. */
  readonly reader?: DocumentReader;
}

export interface IngestOptions {
  readonly scope: Scope;
  /** Deletes the scope's documents that the sources do not have any more. */
  readonly prune: boolean;
  readonly chunk: ChunkOptions;
  readonly signal: AbortSignal;
  /** Limit for one call of the embedder; default 60,000. */
  readonly embedTimeoutMs?: number;
  onProgress?(progress: IngestProgress): void;
}

/** So far. `bytes` are those of the sources, as `measureSources` counts them. */
export interface IngestProgress {
  readonly documents: number;
  readonly passages: number;
  readonly failures: number;
  readonly bytes: number;
}

export interface IngestReport {
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly removed: number;
  /** Written in this run. */
  readonly passages: number;
  readonly failures: readonly LoadFailure[];
  /** Files of which a part could not be read: scanned pages of a PDF that has others. The rest is indexed. */
  readonly notices: readonly LoadFailure[];
  /** Why nothing was pruned, though it was asked for. */
  readonly pruneSkipped?: string;
  readonly elapsedMs: number;
}

/** Bounds of what is in memory at once, and of the transactions that the index may commit together. */
const IN_FLIGHT = { countMax: 64, weightMax: 2_048 };

/**
 * Indexes what the sources hold. Documents whose content and chunk options did not change are skipped; a changed one is
 * replaced in one transaction. What cannot be read is reported and the rest goes on.
 * @throws RaglineError when the embedder or the index fails. What was written until then stays, and the next run skips it.
 */
export function ingest(
  sources: readonly string[],
  stages: IngestStages,
  options: IngestOptions,
): Promise<IngestReport> {
  const { signal } = options;
  return ingestLoaded(
    loadDocuments(sources, { signal, ...(stages.reader && { reader: stages.reader }) }),
    stages,
    options,
  );
}

/** `ingest`, of what was loaded. `seen`, for the caller to read, gets each document's id and the file that it came from. */
export async function ingestLoaded(
  loaded: AsyncIterable<LoadResult>,
  stages: IngestStages,
  options: IngestOptions,
  seen: Map<string, string> = new Map(),
): Promise<IngestReport> {
  const startedAt = performance.now();
  const { signal } = options;
  const report = {
    added: 0,
    changed: 0,
    unchanged: 0,
    passages: 0,
    failures: [] as LoadFailure[],
    notices: [] as LoadFailure[],
  };
  const plan = planner(stages, options);
  const batcher = createEmbedBatcher(stages.embedder, signal, options.embedTimeoutMs);
  const inFlight = new InFlight(IN_FLIGHT, () => batcher.flush());
  const breathe = createBreather();
  let bytes = 0;

  async function add(document: SourceDocument, path: string): Promise<void> {
    const first = seen.get(document.id);
    if (first !== undefined) {
      const reason = `has the document id "${document.id}", which ${first} has too: only the first is indexed`;
      report.failures.push({ path, documentId: document.id, reason });
      return;
    }
    if (document.notice) report.notices.push({ path, documentId: document.id, reason: document.notice });
    const planned = await plan(document, path);
    const { chunks: cut, known, former } = planned;
    seen.set(planned.indexed.id, path);
    if (cut === null) {
      report.unchanged++;
      return;
    }
    const other = await otherSource(planned);
    if (other !== null) {
      const reason = `has the document id "${document.id}", which ${other} has too: index a folder above both, or use another collection`;
      report.failures.push({ path, documentId: document.id, reason });
      return;
    }
    await inFlight.add(cut.length, async () => {
      const passages = await embedChunks(document, cut, batcher);
      try {
        await stages.index.replace(options.scope, planned.indexed, passages, { signal });
        if (former !== null) await stages.index.delete(readerOf(document, options.scope), former, { signal });
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown;
        report.failures.push({ path, documentId: document.id, reason: `was refused by the index: ${thrown.message}` });
        return;
      }
      report.passages += passages.length;
      if (known || former !== null) report.changed++;
      else report.added++;
    });
  }

  try {
    for await (const result of loaded) {
      if ("failure" in result) report.failures.push(result.failure);
      else await add(result.document, result.path);
      bytes += result.bytes;
      options.onProgress?.(progressOf(report, bytes));
      await breathe();
    }
  } finally {
    await inFlight.ended();
  }
  signal.throwIfAborted();
  options.onProgress?.(progressOf(report, bytes));
  const pruned = options.prune ? await prune(stages.index, options, seen, report.failures) : { removed: 0 };
  return { ...report, ...pruned, elapsedMs: performance.now() - startedAt };
}

function progressOf(
  { added, changed, unchanged, passages, failures }: Omit<IngestReport, "removed" | "elapsedMs">,
  bytes: number,
): IngestProgress {
  return { documents: added + changed + unchanged, passages, failures: failures.length, bytes };
}

/** The document is at fault, not the index: the others may go on. */
function isRefusal(thrown: unknown): thrown is RaglineError {
  return thrown instanceof RaglineError && thrown.code === "request_invalid";
}

/**
 * Indexes one document, e.g. one that came over HTTP. Whoever writes it for groups need not belong to them, but replaces only what the
 * scope may read, and by what it may read (`conflict`): what is there would else be hidden, its id with it, by anyone. `changed` is false where it was indexed in the same way before;
 * `passages` is how many it has.
 */
export async function ingestDocument(
  document: SourceDocument,
  stages: IngestStages,
  options: Pick<IngestOptions, "scope" | "chunk" | "signal" | "embedTimeoutMs">,
): Promise<{ changed: boolean; passages: number }> {
  const { scope, signal } = options;
  const plan = await planner(stages, options, scope)(document);
  if (plan.known === null) await checkId(document.id, scope, stages.index, signal);
  else if (document.groups.length > 0 && !document.groups.some((group) => scope.groups.includes(group))) {
    const message = `groups: you may read ${JSON.stringify(document.id)}, and could not read what would replace it; name a group of yours, or delete it first`;
    throw new RaglineError("conflict", message, { retryable: false });
  }
  if (plan.chunks === null) return { changed: false, passages: plan.known?.passages ?? 0 };
  const batcher = createEmbedBatcher(stages.embedder, signal, options.embedTimeoutMs);
  const embedded = embedChunks(document, plan.chunks, batcher);
  batcher.flush();
  const passages = await embedded;
  await stages.index.replace(scope, plan.indexed, passages, { signal });
  return { changed: true, passages: passages.length };
}

interface Plan {
  readonly indexed: Document;
  /** As it is stored now, if it is. */
  readonly known: DocumentEntry | null;
  /** The id under which the same file was stored until now. */
  readonly former: string | null;
  /** Null where it is stored in the same way already. */
  readonly chunks: readonly Chunk[] | null;
}

/**
 * A document that the writer may not read is not replaced. That its id is taken is all that is told of it.
 * @throws RaglineError `conflict`
 */
async function checkId(id: string, scope: Scope, index: PassageIndex, signal: AbortSignal): Promise<void> {
  if (!(await index.has(scope, id, { signal }))) return;
  const message = `id: ${JSON.stringify(id)} is taken by a document that you may not read; use another`;
  throw new RaglineError("conflict", message, { retryable: false });
}

/** Looks at what is stored, and in which vector space; that once for all documents. `writer`: who may look; else whoever may read the document. */
function planner(
  stages: IngestStages,
  options: Pick<IngestOptions, "scope" | "chunk" | "signal">,
  writer: Scope | null = null,
) {
  const { chunk, signal } = options;
  let isChecked = false;
  const isEmpty = new Map<string, Promise<boolean>>();
  /** At the first such question of a reader of these groups. */
  const holdsNothing = (scope: Scope) => {
    const key = JSON.stringify(scope.groups);
    const asked = isEmpty.get(key) ?? stages.index.status(scope, { signal }).then(({ documents }) => documents === 0);
    isEmpty.set(key, asked);
    return asked;
  };
  return async function plan(document: SourceDocument, path?: string): Promise<Plan> {
    const { blocks, notice: _, ...content } = document;
    const source = path === undefined ? {} : { source: resolve(path) };
    const indexed = { ...content, ...source, hash: storedHash(document.hash, chunk, stages) };
    const reader = writer ?? readerOf(document, options.scope);
    const known = await stages.index.find(reader, document.id, { signal });
    if (known && !isChecked) {
      await checkSpace(reader, stages, signal);
      isChecked = true;
    }
    if (known?.hash === indexed.hash) return { indexed, known, former: null, chunks: null };
    const isNew = path !== undefined && known?.source !== indexed.source && !(await holdsNothing(reader));
    const other = isNew ? await storedAs(stages.index, reader, { path, id: document.id }, { signal }) : null;
    // The longer id says more: files of the same name in other folders have ids of their own.
    if (other && other.id.length > document.id.length) return plan({ ...document, id: other.id }, path);
    return { indexed, known, former: other?.id ?? null, chunks: await cutAll(blocks, stages, options) };
  };
}

/** The file that the stored document was read from, where it is another one and is still there: else it was moved. */
async function otherSource({ known, indexed }: Plan): Promise<string | null> {
  const source = known?.source;
  if (source === undefined || source === indexed.source) return null;
  return (await stat(source).catch(() => null)) ? source : null;
}

async function cutAll(
  blocks: SourceDocument["blocks"],
  { counter }: IngestStages,
  { chunk, signal }: Pick<IngestOptions, "chunk" | "signal">,
): Promise<Chunk[]> {
  const breathe = createBreather();
  const cut: Chunk[] = [];
  for (const piece of chunks(blocks, chunk, counter)) {
    if (piece) cut.push(piece);
    const breath = breathe();
    if (await breath) await breath;
    signal.throwIfAborted();
  }
  return cut;
}

/** What is unchanged is not embedded, and would pass in a vector space that nobody can search. */
async function checkSpace(scope: Scope, { index, embedder }: IngestStages, signal: AbortSignal): Promise<void> {
  const stored = (await index.status(scope, { signal })).embedder;
  if (stored === null || stored === embedder.model) return;
  if (embedder.dimensions === 0) {
    const problem = embedder.problem?.() ?? "what it embeds with is not known";
    throw new RaglineError("dependency_failed", problem.replace(/^embed: /, ""), { step: "embed" });
  }
  const message =
    `collection ${scope.collection} is indexed with the embedder ${stored}, the configured one is ${embedder.model}: ` +
    "use the same one, or move the collection with `ragline reindex`";
  throw new RaglineError("conflict", message, { retryable: false });
}

/** The scope widened to see the document: whoever indexes files need not belong to the groups that may read them. */
function readerOf(document: SourceDocument, scope: Scope): Scope {
  return document.groups.length === 0 ? scope : { ...scope, groups: [...scope.groups, ...document.groups] };
}

/** Covers how the document is cut, so that another chunk size indexes it again. How it is embedded is the collection's. */
function storedHash(contentHash: string, chunk: ChunkOptions, { counter }: IngestStages): string {
  const how = [CHUNKER_VERSION, chunk.targetTokens, chunk.overlapTokens, counter.name];
  return createHash("sha256")
    .update(JSON.stringify([contentHash, how]))
    .digest("hex");
}

async function embedChunks(
  { title }: SourceDocument,
  cut: readonly Chunk[],
  batcher: EmbedBatcher,
): Promise<PassageInput[]> {
  const vectors = await batcher.embed(cut.map(({ headings, text }) => passageText({ title, headings, text })));
  return cut.map((chunk, i) => ({ ...chunk, vector: vectors[i] ?? null }));
}
