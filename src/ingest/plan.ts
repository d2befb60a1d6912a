import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { createBreather } from "../breather.ts";
import { RaglineError } from "../errors.ts";
import type { Document, DocumentEntry, Scope } from "../types.ts";
import { type Chunk, type ChunkOptions, chunks } from "./chunk.ts";
import type { SourceDocument } from "./document.ts";
import type { IngestOptions, IngestStages } from "./ingest.ts";
import type { Owner } from "./owner.ts";
import { storedAs } from "./stored-as.ts";

/** Part of every stored hash: raise it when the same document and options give other passages. */
const CHUNKER_VERSION = 4;

/** What is to be done with a document. */
export interface Plan {
  readonly indexed: Document;
  /** As it is stored now, if it is. */
  readonly known: DocumentEntry | null;
  /** The id under which the same file was stored until now. */
  readonly former: string | null;
  /** Null where it is stored in the same way already. */
  readonly chunks: readonly Chunk[] | null;
}

/**
 * Looks at what is stored, and in which vector space; that once for all documents. `owner`: sees all of it; null: only what the scope may
 * read is looked at.
 */
export function planner(
  stages: IngestStages,
  options: Pick<IngestOptions, "scope" | "chunk" | "signal">,
  owner: Owner | null,
) {
  const { scope, chunk, signal } = options;
  let isChecked = false;
  let emptiness: Promise<boolean> | undefined;
  /** At the first such question. */
  const holdsNothing = (all: Scope) => {
    emptiness ??= stages.index.status(all, { signal }).then(({ documents }) => documents === 0);
    return emptiness;
  };

  /** As it is stored, and who sees it. Its own readers are tried first: there may be very many groups. */
  async function look(document: SourceDocument): Promise<{ known: DocumentEntry | null; reader: Scope }> {
    const own = owner ? readerOf(document, scope) : scope;
    const known = await stages.index.find(own, document.id, { signal });
    if (known || !owner) return { known, reader: own };
    const all = await owner.scope();
    const seesNoMore = all.groups.every((group) => own.groups.includes(group));
    if (seesNoMore || (await holdsNothing(all))) return { known: null, reader: all };
    return { known: await stages.index.find(all, document.id, { signal }), reader: all };
  }

  return async function plan(document: SourceDocument, path?: string): Promise<Plan> {
    const { blocks, notice: _, ...content } = document;
    const source = path === undefined ? {} : { source: resolve(path) };
    const indexed = { ...content, ...source, hash: storedHash(document.hash, chunk, stages) };
    const { known, reader } = await look(document);
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
export async function otherSource({ known, indexed }: Plan): Promise<string | null> {
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
    await breathe();
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

/** The scope widened to see the document. */
function readerOf({ groups }: { readonly groups: readonly string[] }, scope: Scope): Scope {
  return groups.length === 0 ? scope : { ...scope, groups: [...scope.groups, ...groups] };
}

/** Covers how the document is cut, so that another chunk size indexes it again. How it is embedded is the collection's. */
function storedHash(contentHash: string, chunk: ChunkOptions, { counter }: IngestStages): string {
  const how = [CHUNKER_VERSION, chunk.targetTokens, chunk.overlapTokens, counter.name];
  return createHash("sha256")
    .update(JSON.stringify([contentHash, how]))
    .digest("hex");
}
