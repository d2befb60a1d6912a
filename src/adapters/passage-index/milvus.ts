import { createBreather } from "../../breather.ts";
import type { FusionStore } from "../../ports/fusion-store.ts";
import type {
  DocumentPage,
  IndexStatus,
  PassageIndex,
  ReplaceOptions,
  SearchQuery,
  SearchResult,
} from "../../ports/passage-index.ts";
import type { Transfer } from "../../ports/transfer.ts";
import { memoizedStem } from "../../text/tokens.ts";
import type { CallOptions, Document, DocumentEntry, PassageInput, Scope } from "../../types.ts";
import { pageOf } from "./document-page.ts";
import { type HashedTerms, hashedTerms } from "./hashed-terms.ts";
import { checkDocument, checkMetadata, checkScanned } from "./milvus-checks.ts";
import { MilvusConnection, type MilvusOptions } from "./milvus-client.ts";
import { MilvusFusionStore } from "./milvus-fusion.ts";
import { COMPARED_MAX, MilvusLegs } from "./milvus-legs.ts";
import { PassageRows } from "./milvus-passage-rows.ts";
import {
  documentIdOf,
  KINDS,
  MilvusRecords,
  ofKind,
  readState,
  type StoredRecord,
  stateId,
  toEntry,
} from "./milvus-records.ts";
import { MilvusCollections, type MilvusLayout, partOf } from "./milvus-schema.ts";
import { MilvusSearch } from "./milvus-search.ts";
import { settleCollection } from "./milvus-settle.ts";
import { MilvusStatistics } from "./milvus-statistics.ts";
import { SWEEPING, type SweepTuning } from "./milvus-sweep.ts";
import { createMilvusTransfer } from "./milvus-transfer.ts";
import { listOf, readableBy, storedMetadata } from "./milvus-values.ts";
import { type MilvusParts, MilvusWrites } from "./milvus-writes.ts";
import { recentFusion } from "./recent-fusion.ts";
import { checkVector, type Space } from "./vector-space.ts";

export interface MilvusIndexOptions extends MilvusOptions, MilvusLayout {
  /** `session`: what this process wrote is found at once; `strong`: what any process wrote. */
  readonly consistency: "session" | "strong";
}

/** So long, by the clocks of two processes, one may see less than the other has written. */
const UNSETTLED_MS = 10_000;
/** Until then an answer that was found meanwhile is served again for so long at most. */
const VERSION_MS = 1000;

/**
 * Passages in Milvus. Every tenant's collections share Milvus's, a partition key apart. Text is compared by Ragline's own tokens.
 */
export class MilvusPassageIndex implements PassageIndex {
  readonly fusion: FusionStore;
  readonly transfer: Transfer;
  readonly #parts: MilvusParts;
  readonly #space: Space;
  readonly #search: MilvusSearch;
  readonly #sweeping: SweepTuning;
  readonly #writes = new Map<string, MilvusWrites>();
  readonly #stem = memoizedStem();

  /**
   * Connects when it is first needed.
   * @throws RaglineError `config_invalid`: the client is not installed, or a file of the options cannot be read
   */
  static async open(
    options: MilvusIndexOptions,
    embedder: Space,
    sweeping: SweepTuning = SWEEPING,
  ): Promise<MilvusPassageIndex> {
    const connection = await MilvusConnection.open(options);
    const collections = new MilvusCollections(connection, options);
    const records = new MilvusRecords(connection, collections, options.consistency === "strong");
    const rows = new PassageRows(connection, records);
    const legs = new MilvusLegs(connection, records, rows);
    const statistics = new MilvusStatistics(records);
    return new MilvusPassageIndex({ connection, collections, records, rows, legs, statistics }, embedder, sweeping);
  }

  private constructor(parts: MilvusParts, embedder: Space, sweeping: SweepTuning) {
    this.#sweeping = sweeping;
    this.#parts = parts;
    this.#space = embedder;
    this.#search = new MilvusSearch(parts, this.#space, this.#stem, (scope) =>
      this.#writesOf(scope).sweep(partOf(scope)),
    );
    this.fusion = recentFusion(new MilvusFusionStore(parts, this.#search));
    this.transfer = createMilvusTransfer(parts, this.#search);
  }

  async search(scope: Scope, query: SearchQuery, call: CallOptions): Promise<SearchResult> {
    if (query.vector) checkVector(query.vector, this.#space);
    return this.#search.search(scope, query, call);
  }

  async replace(
    scope: Scope,
    document: Document,
    passages: readonly PassageInput[],
    call: ReplaceOptions,
  ): Promise<void> {
    checkDocument(document, passages, this.#space);
    const stored = storedMetadata(document.metadata);
    checkMetadata(document, stored);
    const pause = createBreather();
    const terms: HashedTerms[] = [];
    for (const { text, headings } of passages) {
      terms.push(hashedTerms({ title: document.title, headings, text }, this.#stem));
      await pause();
    }
    if ((await this.#parts.collections.writtenKind(call)) === "scanned") checkScanned(terms);
    await this.#writesOf(scope).replace(scope, { document, passages, terms, stored }, call);
  }

  async delete(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    if (!(await this.find(scope, documentId, call))) return false;
    return this.#writesOf(scope).delete(scope, documentId, call);
  }

  async purge(scope: Scope): Promise<void> {
    const writes = this.#writesOf(scope);
    writes.sweep(partOf(scope));
    await writes.settled();
  }

  async has(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    const filter = `id == "${documentIdOf(partOf(scope), documentId)}"`;
    return (await this.#records(scope, filter, ["passages"], call, { limit: 1 })).length > 0;
  }

  async find(scope: Scope, documentId: string, call: CallOptions): Promise<DocumentEntry | null> {
    const filter = `id == "${documentIdOf(partOf(scope), documentId)}" and ${readableBy(scope.groups)}`;
    const [found] = await this.#records(scope, filter, ["passages", "data"], call, { limit: 1 });
    return found ? toEntry(found) : null;
  }

  async groups(scope: Scope, call: CallOptions): Promise<string[]> {
    const { records } = this.#parts;
    const part = partOf(scope);
    const filter = `${ofKind(part, KINDS.document)} and open == false`;
    const restricted = await records.findAll({ filter, fields: ["data"], isStrong: records.isStrong(part) }, call);
    return [...new Set(restricted.flatMap((record) => toEntry(record).groups))];
  }

  async list(
    scope: Scope,
    { after, limit }: { readonly after?: string; readonly limit: number },
    call: CallOptions,
  ): Promise<DocumentPage> {
    const part = partOf(scope);
    const isNext = after === undefined ? "" : ` and id > "${documentIdOf(part, after)}"`;
    const filter = `${this.#readable(scope)}${isNext}`;
    const page = { limit: limit + 1, isOrdered: true };
    const found = await this.#records(scope, filter, ["passages", "data"], call, page);
    return pageOf(found, limit, toEntry);
  }

  async version(scope: Scope, call: CallOptions): Promise<string> {
    const part = partOf(scope);
    const filter = `id in ${listOf([stateId(part)])}`;
    const [state] = await this.#records(scope, filter, ["generation", "data", "at"], call);
    if (!state) return "";
    const version = `${readState(state)?.id}:${state.generation}`;
    // Milvus's collections come up to date each in its time: what is found now may not be all that the version stands for.
    const { at = 0 } = state;
    const now = Date.now();
    const isUnsettled = !this.#parts.records.isStrong(part) && now - at < UNSETTLED_MS;
    return isUnsettled ? `${version}~${Math.floor(now / VERSION_MS)}` : version;
  }

  async status(scope: Scope, call: CallOptions): Promise<IndexStatus> {
    const { records } = this.#parts;
    const isStrong = records.isStrong(partOf(scope));
    const query = { filter: this.#readable(scope), fields: ["passages"], isStrong } as const;
    const [documents, [state]] = await Promise.all([
      records.findAll(query, call),
      this.#records(scope, `id in ${listOf([stateId(partOf(scope))])}`, ["data"], call),
    ]);
    return {
      documents: documents.length,
      passages: documents.reduce((sum, { passages = 0 }) => sum + passages, 0),
      // Of documents that one may not read not even the space is known.
      embedder: documents.length > 0 ? (readState(state)?.model ?? null) : null,
    };
  }

  /** Counts what a question's words weigh by, and makes a connection. */
  async warm(scope: Scope, call: CallOptions): Promise<void> {
    await this.#parts.statistics.of(partOf(scope), call);
  }

  /** Nothing where a collection is so small that all of it is compared: what is closed for it alone is searched the slower. */
  async settle(scope: Scope, call: CallOptions): Promise<void> {
    const { collections, connection, statistics } = this.#parts;
    if ((await statistics.of(partOf(scope), call)).passages <= COMPARED_MAX) return;
    const kind = await collections.textKind(call);
    const name = kind && collections.passages(this.#space.dimensions, kind);
    if (name && (await collections.isThere(name, call))) await settleCollection(connection, name, call);
  }

  async close(): Promise<void> {
    for (const writes of this.#writes.values()) await writes.settled();
    await this.#parts.connection.close();
  }

  #readable(scope: Scope): string {
    return `${ofKind(partOf(scope), KINDS.document)} and ${readableBy(scope.groups)}`;
  }

  #records(
    scope: Scope,
    filter: string,
    fields: readonly ("generation" | "passages" | "data" | "at")[],
    call: CallOptions,
    more: { readonly limit?: number; readonly isOrdered?: boolean } = {},
  ): Promise<StoredRecord[]> {
    const isStrong = this.#parts.records.isStrong(partOf(scope));
    return this.#parts.records.find({ filter, fields, isStrong, ...more }, call);
  }

  #writesOf(scope: Scope): MilvusWrites {
    const part = partOf(scope);
    let writes = this.#writes.get(part);
    if (!writes) {
      writes = new MilvusWrites(this.#parts, this.#space, (over) => this.#search.noteOver(part, over), this.#sweeping);
      this.#writes.set(part, writes);
    }
    return writes;
  }
}
