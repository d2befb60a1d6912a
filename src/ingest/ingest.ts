import { createBreather } from "../breather.ts";
import { RaglineError } from "../errors.ts";
import { InFlight } from "../in-flight.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { idTaken, replacementRefusal } from "../replaceable.ts";
import { passageText } from "../text/passage-text.ts";
import type { PassageInput, Scope } from "../types.ts";
import { createEmbedBatcher, type EmbedBatcher } from "./batch.ts";
import type { Chunk, ChunkOptions } from "./chunk.ts";
import { forGroups, type SourceDocument } from "./document.ts";
import type { LoadFailure } from "./files.ts";
import { type LoadResult, loadDocuments } from "./load.ts";
import { openChange } from "./open-change.ts";
import { createOwner } from "./owner.ts";
import { otherSource, planner } from "./plan.ts";
import { prune } from "./prune.ts";
import type { DocumentReader } from "./reader.ts";

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
  /** Deletes the collection's documents that the sources do not have any more, whichever groups may read them. */
  readonly prune: boolean;
  /** Who may read documents that name no groups themselves; absent or empty: everyone of the tenant. */
  readonly documentGroups?: readonly string[];
  readonly chunk: ChunkOptions;
  readonly signal: AbortSignal;
  /** Limit for one call of the embedder; default 60,000. */
  readonly embedTimeoutMs?: number;
  onProgress?(progress: IngestProgress): void;
  /** Is told of every document that came, changed or went how many passages that was of what everyone may read. */
  onOpenChange?(passages: number): void;
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

type Loaded = Extract<LoadResult, { readonly document: SourceDocument }>;

/** `ingest`, of what was loaded. `seen`, for the caller to read, gets each document's id and the file that it came from. */
export async function ingestLoaded(
  loaded: AsyncIterable<LoadResult>,
  stages: IngestStages,
  options: IngestOptions,
  seen: Map<string, string> = new Map(),
  owner = createOwner(stages.index, options),
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
  const plan = planner(stages, options, owner);
  const batcher = createEmbedBatcher(stages.embedder, signal, options.embedTimeoutMs);
  const inFlight = new InFlight(IN_FLIGHT, () => batcher.flush());
  const breathe = createBreather();
  let bytes = 0;

  async function add({ document: read, path, line }: Loaded): Promise<void> {
    const document = forGroups(read, options.documentGroups ?? []);
    const place = line === undefined ? path : `${path}:${line}`;
    const first = seen.get(document.id);
    if (first !== undefined) {
      const reason = `has the document id "${document.id}", which ${first} has too: only the first is indexed`;
      report.failures.push({ path: place, documentId: document.id, reason });
      return;
    }
    if (document.notice) report.notices.push({ path: place, documentId: document.id, reason: document.notice });
    const planned = await plan(document, path);
    const { chunks: cut, known, former } = planned;
    seen.set(planned.indexed.id, path);
    owner.note(document.groups);
    if (cut === null) {
      report.unchanged++;
      return;
    }
    const other = await otherSource(planned);
    if (other !== null) {
      const reason = `has the document id "${document.id}", which ${other} has too: index a folder above both, or use another collection`;
      report.failures.push({ path: place, documentId: document.id, reason });
      return;
    }
    await inFlight.add(cut.length, async () => {
      const passages = await embedChunks(document, cut, batcher);
      try {
        await stages.index.replace(options.scope, planned.indexed, passages, { signal });
        if (former !== null) await stages.index.delete(await owner.scope(), former, { signal });
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown;
        report.failures.push({
          path: place,
          documentId: document.id,
          reason: `was refused by the index: ${thrown.message}`,
        });
        return;
      }
      report.passages += passages.length;
      options.onOpenChange?.(openChange(known, { ...document, passages: passages.length }));
      if (known || former !== null) report.changed++;
      else report.added++;
    });
  }

  try {
    for await (const result of loaded) {
      if ("failure" in result) report.failures.push(result.failure);
      else await add(result);
      bytes += result.bytes;
      options.onProgress?.(progressOf(report, bytes));
      await breathe();
    }
  } finally {
    await inFlight.ended();
  }
  signal.throwIfAborted();
  options.onProgress?.(progressOf(report, bytes));
  const pruned = options.prune
    ? await prune(stages.index, { ...options, owner }, seen, report.failures)
    : { removed: 0 };
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
 * scope may read, and by what it may read (`conflict`): looked at before anything is embedded, and in the write itself. `changed` is
 * false where it was indexed in the same way before; `passages` is how many it has, `openPassages` how many changed of what everyone may
 * read.
 */
export async function ingestDocument(
  document: SourceDocument,
  stages: IngestStages,
  options: Pick<IngestOptions, "scope" | "chunk" | "signal" | "embedTimeoutMs">,
): Promise<{ changed: boolean; passages: number; openPassages: number }> {
  const { scope, signal } = options;
  const plan = await planner(stages, options, null)(document);
  const refusal = plan.known && replacementRefusal(scope, plan.known, document);
  if (refusal) throw refusal;
  if (!plan.known && (await isTaken(document.id, scope, stages.index, signal))) throw idTaken(document.id);
  if (plan.chunks === null) return { changed: false, passages: plan.known?.passages ?? 0, openPassages: 0 };
  const batcher = createEmbedBatcher(stages.embedder, signal, options.embedTimeoutMs);
  const embedded = embedChunks(document, plan.chunks, batcher);
  batcher.flush();
  const passages = await embedded;
  await stages.index.replace(scope, plan.indexed, passages, { signal, readableOnly: true });
  const openPassages = openChange(plan.known, { ...document, passages: passages.length });
  return { changed: true, passages: passages.length, openPassages };
}

/** By a document that the scope may not read: one that it may read can have come since it was looked for. */
async function isTaken(id: string, scope: Scope, index: PassageIndex, signal: AbortSignal): Promise<boolean> {
  return (await index.has(scope, id, { signal })) && (await index.find(scope, id, { signal })) === null;
}

async function embedChunks(
  { title }: SourceDocument,
  cut: readonly Chunk[],
  batcher: EmbedBatcher,
): Promise<PassageInput[]> {
  const vectors = await batcher.embed(cut.map(({ headings, text }) => passageText({ title, headings, text })));
  return cut.map((chunk, i) => ({ ...chunk, vector: vectors[i] ?? null }));
}
