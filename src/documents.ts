import type { Logger } from "pino";
import type { AddedDocument, CallerOptions, IndexOptions, ReindexOptions, WatchRequest } from "./api.ts";
import type { Background } from "./background.ts";
import { createBreather } from "./breather.ts";
import type { Calls } from "./calls.ts";
import type { Config } from "./config.ts";
import { RaglineError, unlessLeft } from "./errors.ts";
import { createFusionLearner, type FusionLearner } from "./fusion/keep.ts";
import { reasonOf } from "./ingest/document.ts";
import { type IngestReport, ingest, ingestDocument } from "./ingest/ingest.ts";
import { openChange } from "./ingest/open-change.ts";
import type { ReadRequest } from "./ingest/read.ts";
import { createReader, type DocumentReader } from "./ingest/reader.ts";
import { type ReindexReport, reindex } from "./ingest/reindex.ts";
import { watch } from "./ingest/watch.ts";
import { boundedPage } from "./pages.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { DocumentPage, PassageIndex } from "./ports/passage-index.ts";
import {
  type DocumentInput,
  type DocumentListRequest,
  defined,
  type FileInput,
  groupNames,
  parseRequest,
  type RequestSchemas,
} from "./requests.ts";
import { withoutSource } from "./status.ts";
import type { CallOptions, DocumentEntry, Scope } from "./types.ts";

/** What is indexed, as a caller may change, list and read it. */
export class Documents {
  readonly #config: Config;
  readonly #schemas: RequestSchemas;
  readonly #stages: Stages;
  readonly #calls: Calls;
  readonly #background: Background;
  readonly #log: Logger;
  readonly #reader: DocumentReader;
  readonly #learner: FusionLearner;

  constructor(
    config: Config,
    schemas: RequestSchemas,
    stages: Stages,
    calls: Calls,
    background: Background,
    log: Logger,
  ) {
    this.#config = config;
    this.#schemas = schemas;
    this.#stages = stages;
    this.#calls = calls;
    this.#background = background;
    this.#log = log;
    this.#reader = createReader({
      timeoutMs: config.ingest.readTimeoutMs,
      memoryBytesMax: config.ingest.readMemoryMb * 1_048_576,
      waitMs: config.server.timeoutMs,
    });
    this.#learner = createFusionLearner(stages, createBreather());
  }

  async index(sources: readonly string[], options: IndexOptions): Promise<IngestReport> {
    const scope = this.#scope(options?.collection, options);
    const { prune = false, onProgress, signal = new AbortController().signal } = options;
    const documentGroups = groupsOf(options);
    const report = await ingest(sources, await this.#ingestStages(), {
      scope,
      prune,
      documentGroups,
      chunk: this.#chunkOptions(),
      signal,
      ...(onProgress && { onProgress }),
    });
    await this.#learner.learn(scope, { signal });
    return report;
  }

  async reindex(options: ReindexOptions): Promise<ReindexReport> {
    const scope = this.#scope(options?.collection, options);
    const { onProgress, signal = new AbortController().signal } = options;
    const report = await reindex(this.#stages, { scope, signal, ...(onProgress && { onProgress }) });
    await this.#learner.learn(scope, { signal });
    return report;
  }

  async watch(paths: readonly string[], options: WatchRequest): Promise<void> {
    const scope = this.#scope(options?.collection, options);
    const { prune = false, signal, onReport } = options;
    const documentGroups = groupsOf(options);
    let openPassages = 0;
    await watch(paths, await this.#ingestStages(), {
      scope,
      prune,
      documentGroups,
      chunk: this.#chunkOptions(),
      signal,
      onOpenChange(passages) {
        openPassages += passages;
      },
      onReport: (report) => {
        this.#noteChange(scope, openPassages);
        openPassages = 0;
        onReport?.(report);
      },
      onFailure: (thrown) => this.#log.error({ err: thrown }, "watching: could not be read or indexed, tried again"),
    });
  }

  async add(input: DocumentInput, caller: CallerOptions): Promise<AddedDocument> {
    const { collection, text, format, ...fields } = defined(parseRequest(this.#schemas.document, input));
    return this.#addFor(caller, { fields, fallbackTitle: fields.id, format, content: { text } }, collection);
  }

  async addFile(bytes: Uint8Array, input: FileInput, caller: CallerOptions): Promise<AddedDocument> {
    const { collection, format, ...fields } = defined(parseRequest(this.#schemas.file, input));
    return this.#addFor(caller, { fields, fallbackTitle: fields.id, format, content: { bytes } }, collection);
  }

  async #addFor(caller: CallerOptions, request: ReadRequest, collection: string | undefined): Promise<AddedDocument> {
    const scope = this.#calls.scope(collection, caller);
    const { signal = new AbortController().signal } = caller;
    try {
      return await this.#add(request, scope, signal);
    } catch (thrown) {
      throw unlessLeft(thrown, signal);
    }
  }

  async #add(request: ReadRequest, scope: Scope, signal: AbortSignal): Promise<AddedDocument> {
    const options = { scope, chunk: this.#chunkOptions(), signal, embedTimeoutMs: this.#config.server.timeoutMs };
    const source = await this.#reader.read(request, signal).catch((thrown: unknown) => {
      signal.throwIfAborted();
      if (thrown instanceof RaglineError && thrown.code === "overloaded") throw thrown;
      const message = `Document "${request.fields.id}" ${reasonOf(thrown)}.`;
      throw new RaglineError("request_invalid", message, { cause: thrown });
    });
    const { openPassages, ...added } = await ingestDocument(source, await this.#ingestStages(), options);
    this.#noteChange(scope, openPassages);
    return { id: source.id, ...added };
  }

  async list(page: DocumentListRequest, caller: CallerOptions): Promise<DocumentPage> {
    const { collection, limit, after } = parseRequest(this.#schemas.list, page);
    const scope = this.#calls.scope(collection, caller);
    return this.#calls.store("search", caller, (call) => listed(this.#stages.index, scope, { limit, after }, call));
  }

  async find(id: string, collection: string | undefined, caller: CallerOptions): Promise<DocumentEntry | null> {
    const scope = this.#scope(collection, caller);
    const documentId = parseRequest(this.#schemas.documentId, id, "id");
    const found = await this.#calls.store("search", caller, (call) => this.#stages.index.find(scope, documentId, call));
    return found && withoutSource(found);
  }

  async delete(id: string, collection: string | undefined, caller: CallerOptions): Promise<boolean> {
    const scope = this.#scope(collection, caller);
    const documentId = parseRequest(this.#schemas.documentId, id, "id");
    const { index } = this.#stages;
    const gone = await this.#calls.store("search", caller, async (call) => {
      const known = await index.find(scope, documentId, call);
      return known && (await index.delete(scope, documentId, call)) ? known : null;
    });
    if (gone) this.#noteChange(scope, openChange(gone, null));
    return gone !== null;
  }

  /** Fusion that an earlier Ragline learned is learned again in the background. An index that is away is not looked at. */
  refresh(scope: Scope): void {
    this.#background.later(async (call) => {
      if (await this.#learner.isOutdated(scope, call).catch(() => false)) await this.#learner.learn(scope, call);
    });
  }

  /** Of a collection that was erased: what was learned from it is learned anew, of nothing. */
  erased(scope: Scope): void {
    this.#background.later((call) => this.#learner.learn(scope, call));
  }

  close(): void {
    this.#reader.close();
  }

  #scope(collection: string | undefined, caller: CallerOptions): Scope {
    return this.#calls.scope(parseRequest(this.#schemas.collection, collection, "collection"), caller);
  }

  async #ingestStages() {
    const { embedder, index, chunkCounter } = this.#stages;
    return { embedder, index, counter: await chunkCounter(), reader: this.#reader };
  }

  /** Fusion is learned again in the background, once so much of what everyone may read has changed. */
  #noteChange(scope: Scope, openPassages: number): void {
    if (this.#learner.isDue(scope, openPassages)) this.#background.later((call) => this.#learner.learn(scope, call));
  }

  #chunkOptions() {
    return { targetTokens: this.#config.ingest.chunkTokens, overlapTokens: this.#config.ingest.overlapTokens };
  }
}

function groupsOf({ documentGroups = [] }: Pick<IndexOptions, "documentGroups">): readonly string[] {
  return parseRequest(groupNames, documentGroups, "documentGroups");
}

/** Documents by id, at most `limit` and as many as fit on a page. */
async function listed(
  index: PassageIndex,
  scope: Scope,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  call: CallOptions,
): Promise<DocumentPage> {
  const idOf = ({ id }: DocumentEntry) => id;
  const { items, next } = await boundedPage(limit, after, idOf, async (from, count) => {
    const page = await index.list(scope, from === undefined ? { limit: count } : { after: from, limit: count }, call);
    return { items: page.documents.map(withoutSource), next: page.next };
  });
  return next === undefined ? { documents: items } : { documents: items, next };
}
