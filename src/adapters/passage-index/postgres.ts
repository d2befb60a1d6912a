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
import { replacementRefusal } from "../../replaceable.ts";
import { memoizedStem } from "../../text/tokens.ts";
import type { CallOptions, Document, DocumentEntry, PassageInput, Scope } from "../../types.ts";
import { PostgresDatabase, type Query, type ReadValue } from "../postgres/database.ts";
import type { PostgresOptions } from "../postgres/options.ts";
import { pageOf } from "./document-page.ts";
import { hashedTerms } from "./hashed-terms.ts";
import { COUNTS, type CountsRow, type DocumentRow, entry, FIND, GROUPS, HAS, LIST } from "./postgres-documents.ts";
import { PostgresFusionStore } from "./postgres-fusion.ts";
import { KnownCollections } from "./postgres-known.ts";
import { StatementTexts } from "./postgres-legs.ts";
import { checkDocument, checkFilter, checkSpace } from "./postgres-limits.ts";
import { PostgresPassages } from "./postgres-passages.ts";
import { ensureSchema } from "./postgres-schema.ts";
import { beginReading, beginWriting, type Sight, settingsOf } from "./postgres-scope.ts";
import { type SearchContext, type SearchTuning, searchCollection, searchKnown, TUNING } from "./postgres-search.ts";
import { createPostgresTransfer } from "./postgres-transfer.ts";
import { claim, claimKnown, insertDocument, removeDocument, storedGroups } from "./postgres-writes.ts";
import { recentFusion } from "./recent-fusion.ts";
import { checkVector, type Space } from "./vector-space.ts";

export interface PostgresIndexOptions extends PostgresOptions {
  /** Neighbours that a step through the vectors' graph keeps in sight: more find more, and take longer. */
  readonly efSearch: number;
  /** Limit for a call that writes, where the call has no earlier deadline. */
  readonly writeTimeoutMs: number;
  /** False: also a role that row-level security does not hold for. */
  readonly rowSecurity: boolean;
}

/** Passages in PostgreSQL with pgvector: both legs are found and scored there. */
export class PostgresPassageIndex implements PassageIndex {
  readonly fusion: FusionStore;
  readonly transfer: Transfer;
  readonly #database: PostgresDatabase;
  readonly #embedder: Space;
  /** Of the vectors that there is a table for. */
  #dimensions: number;
  readonly #writeTimeoutMs: number;
  readonly #search: SearchContext;
  readonly #stem = memoizedStem();

  /** @throws RaglineError `config_invalid`. What is wrong with the server itself, the first call says. */
  static async open(
    options: PostgresIndexOptions,
    embedder: Space,
    tuning: Partial<SearchTuning> = {},
  ): Promise<PostgresPassageIndex> {
    const { schema, efSearch, rowSecurity, timeoutMs, writeTimeoutMs } = options;
    const settings = {
      statement_timeout: timeoutMs,
      work_mem: "64MB",
      "hnsw.iterative_scan": "strict_order",
      "hnsw.ef_search": efSearch,
    };
    const ensure = (query: Query) => ensureSchema(query, { schema, dimensions: embedder.dimensions, rowSecurity });
    const database = await PostgresDatabase.open({ key: "search", settings, ensure }, options);
    return new PostgresPassageIndex(database, embedder, writeTimeoutMs, { ...TUNING, ...tuning });
  }

  private constructor(database: PostgresDatabase, embedder: Space, writeTimeoutMs: number, tuning: SearchTuning) {
    this.#database = database;
    this.#embedder = embedder;
    this.#dimensions = embedder.dimensions;
    this.#writeTimeoutMs = writeTimeoutMs;
    const remembered = { passages: new PostgresPassages(), known: new KnownCollections(), texts: new StatementTexts() };
    this.#search = { embedder: this.#embedder, ...remembered, stem: this.#stem, tuning };
    this.fusion = recentFusion(new PostgresFusionStore(database, writeTimeoutMs));
    this.transfer = createPostgresTransfer(database, writeTimeoutMs);
  }

  async search(scope: Scope, wanted: SearchQuery, call: CallOptions): Promise<SearchResult> {
    if (wanted.vector) checkVector(wanted.vector, this.#embedder);
    this.#notice();
    if (wanted.filter) checkFilter(wanted.filter);
    const settings = settingsOf(scope, "scope");
    const read: ReadValue = (sql, values) => this.#database.value(call, settings, sql, values);
    const found = await searchKnown(read, scope, wanted, this.#search);
    return found ?? this.#reading(scope, call, (query) => searchCollection(query, scope, wanted, this.#search));
  }

  async replace(
    scope: Scope,
    document: Document,
    passages: readonly PassageInput[],
    call: ReplaceOptions,
  ): Promise<void> {
    checkDocument(document, passages, this.#embedder);
    this.#notice();
    const terms = passages.map(({ text, headings }) =>
      hashedTerms({ title: document.title, headings, text }, this.#stem),
    );
    await this.#writing(scope, call, async (query) => {
      const claimed = await claim(query, scope, this.#embedder);
      checkSpace(scope, claimed, this.#embedder);
      const stored = call.readableOnly ? await storedGroups(query, claimed, document.id) : null;
      const refusal = stored && replacementRefusal(scope, { groups: stored }, document);
      if (refusal) throw refusal;
      await removeDocument(query, claimed, document.id, null);
      await insertDocument(query, claimed, scope, document, passages, terms);
    });
  }

  async delete(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    if (documentId.includes("\0")) return false;
    return this.#writing(scope, call, async (query) => {
      const [known] = await query(FIND, [scope.tenant, scope.collection, scope.groups, documentId]);
      const claimed = known ? await claimKnown(query, scope) : null;
      return claimed ? removeDocument(query, claimed, documentId, scope.groups) : false;
    });
  }

  async has(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    if (documentId.includes("\0")) return false;
    const values = [scope.tenant, scope.collection, documentId];
    const found = await this.#reading(scope, call, (query) => query(HAS, values), "collection");
    return found.length > 0;
  }

  async find(scope: Scope, documentId: string, call: CallOptions): Promise<DocumentEntry | null> {
    if (documentId.includes("\0")) return null;
    const values = [scope.tenant, scope.collection, scope.groups, documentId];
    const [row] = await this.#reading(scope, call, (query) => query<DocumentRow>(FIND, values));
    return row ? entry(row) : null;
  }

  async groups(scope: Scope, call: CallOptions): Promise<string[]> {
    const values = [scope.tenant, scope.collection];
    const found = await this.#reading(scope, call, (query) => query<{ name: string }>(GROUPS, values), "collection");
    return found.map(({ name }) => name);
  }

  async list(
    scope: Scope,
    { after = "", limit }: { readonly after?: string; readonly limit: number },
    call: CallOptions,
  ): Promise<DocumentPage> {
    const values = [scope.tenant, scope.collection, scope.groups, after, limit + 1];
    const rows = await this.#reading(scope, call, (query) => query<DocumentRow>(LIST, values));
    return pageOf(rows, limit, entry);
  }

  async version({ tenant, collection }: Scope, call: CallOptions): Promise<string> {
    const sql = "SELECT version FROM collection_of($1, $2)";
    const [found] = await this.#database.query<{ version: string }>(call, sql, [tenant, collection]);
    return found?.version ?? "";
  }

  async status(scope: Scope, call: CallOptions): Promise<IndexStatus> {
    const values = [scope.tenant, scope.collection, scope.groups];
    const [counts] = await this.#reading(scope, call, (query) => query<CountsRow>(COUNTS, values));
    const { documents = 0, passages = 0, embedder = null } = counts ?? {};
    return { documents, passages, embedder: documents > 0 ? embedder : null };
  }

  /** Makes the tables where there are none, and a connection. */
  async warm(scope: Scope, call: CallOptions): Promise<void> {
    await this.version(scope, call);
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  /** An embedder apart that was reached since: there is no table for its vectors yet. */
  #notice(): void {
    const { dimensions } = this.#embedder;
    if (dimensions === this.#dimensions) return;
    this.#dimensions = dimensions;
    this.#database.ensureAgain();
  }

  #reading<T>(scope: Scope, call: CallOptions, work: (query: Query) => Promise<T>, sight: Sight = "scope"): Promise<T> {
    return this.#database.reading(call, (limitMs) => beginReading(scope, sight, limitMs), work);
  }

  #writing<T>(scope: Scope, call: CallOptions, work: (query: Query) => Promise<T>): Promise<T> {
    const begin = (limitMs: number) => beginWriting(scope, limitMs);
    return this.#database.transaction(call, begin, work, this.#writeTimeoutMs);
  }
}

/** Deletes the schema with everything in it, where it is. */
export async function dropPostgresSchema(options: PostgresOptions): Promise<void> {
  const ensure = async () => undefined;
  const database = await PostgresDatabase.open({ key: "search", settings: {}, ensure }, options);
  try {
    const { signal } = new AbortController();
    await database.query({ signal }, `DROP SCHEMA IF EXISTS ${options.schema} CASCADE`);
  } finally {
    await database.close();
  }
}
