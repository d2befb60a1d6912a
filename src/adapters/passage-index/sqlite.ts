import { RaglineError } from "../../errors.ts";
import type {
  DocumentPage,
  IndexStatus,
  PassageIndex,
  ReplaceOptions,
  SearchQuery,
  SearchResult,
  TextQuery,
} from "../../ports/passage-index.ts";
import type { Reembedding } from "../../ports/reembedding.ts";
import type { Transfer } from "../../ports/transfer.ts";
import { idTaken, isReadable, replacementRefusal } from "../../replaceable.ts";
import { Builder } from "../../resident/builder.ts";
import type { Partition, PartitionQuery, RowHit, ScanResult } from "../../resident/partition.ts";
import { Scanner } from "../../resident/scan.ts";
import { estimatedMs, ScanPool } from "../../resident/scan-pool.ts";
import type { CallOptions, Document, DocumentEntry, Passage, PassageInput, Scope, ScoredPassage } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { NEXT_CHANGE } from "../sqlite/schema.ts";
import { bytes } from "../sqlite/vector-blob.ts";
import type { Statement } from "../sqlite/writer.ts";
import { pageOf } from "./document-page.ts";
import { asStored, commitOf, WRITTEN_ROWS, type WrittenRow } from "./own-writes.ts";
import { SqliteCollections } from "./sqlite-collections.ts";
import { SqliteFusionStore } from "./sqlite-fusion.ts";
import { LiveCollection, spaceOf } from "./sqlite-live.ts";
import { SqlitePassages } from "./sqlite-passages.ts";
import { createSqliteReembedding } from "./sqlite-reembedding.ts";
import { type DocumentRow, documentValues, entry, READABLE } from "./sqlite-rows.ts";
import { dropSegmentsOfEmpty } from "./sqlite-segments.ts";
import { createSqliteTransfer } from "./sqlite-transfer.ts";
import { TextsAhead } from "./texts-ahead.ts";
import { checkVector, isSame, type Space, spaceConflict } from "./vector-space.ts";

const DOCUMENTS = `SELECT d.id, d.title, d.url, d.hash, d.metadata, d.groups, d.source, d.passages, d.indexed_at AS indexedAt
  FROM documents d JOIN collections c ON c.row = d.collection WHERE c.tenant = ? AND c.name = ? AND ${READABLE}`;
const FIND = `${DOCUMENTS} AND d.id = ?`;
const HAS = `SELECT 1 AS there FROM collections c JOIN documents d ON d.collection = c.row
  WHERE c.tenant = ? AND c.name = ? AND d.id = ?`;
const GROUPS = `SELECT DISTINCT g.value AS name FROM collections c JOIN documents d ON d.collection = c.row, json_each(d.groups) g
  WHERE c.tenant = ? AND c.name = ?`;
const LIST = `${DOCUMENTS} AND d.id > ? ORDER BY d.id LIMIT ?`;
/** Without documents a collection has no vector space, whatever was in it before. */
const HAS_DOCUMENTS = "EXISTS (SELECT 1 FROM documents d WHERE d.collection = collections.row)";
const COUNTS = `SELECT count(*) AS documents, coalesce(sum(d.passages), 0) AS passages
  FROM documents d JOIN collections c ON c.row = d.collection WHERE c.tenant = ? AND c.name = ? AND ${READABLE}`;

const CREATE_COLLECTION = `INSERT INTO collections (tenant, name, embedder, dimensions) VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET embedder = excluded.embedder, dimensions = excluded.dimensions WHERE NOT ${HAS_DOCUMENTS}`;
const SAME_SPACE = "SELECT 1 FROM collections WHERE tenant = ? AND name = ? AND embedder = ? AND dimensions = ?";
const THIS_COLLECTION = "(SELECT row FROM collections WHERE tenant = ? AND name = ?)";
const THIS_DOCUMENT = `(SELECT row FROM documents WHERE collection = ${THIS_COLLECTION} AND id = ?)`;
const UPSERT_DOCUMENT = `INSERT INTO documents (collection, id, title, url, hash, metadata, groups, source, passages, indexed_at)
  VALUES (${THIS_COLLECTION}, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (collection, id) DO UPDATE SET title = excluded.title, url = excluded.url, hash = excluded.hash,
    metadata = excluded.metadata, groups = excluded.groups, source = excluded.source, passages = excluded.passages, indexed_at = excluded.indexed_at`;
/** The last value: whether the scope may read what comes. */
const REPLACEABLE = `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM documents stored WHERE collection = ${THIS_COLLECTION} AND id = ?) OR EXISTS (
  SELECT 1 FROM documents d WHERE collection = ${THIS_COLLECTION} AND id = ? AND ${READABLE} AND ?)`;
const DELETE_PASSAGES = `DELETE FROM passages WHERE document = ${THIS_DOCUMENT}`;
const INSERT_PASSAGE = `INSERT INTO passages (document, ordinal, headings, text, tokens, page, page_end, vector)
  VALUES (${THIS_DOCUMENT}, ?, ?, ?, ?, ?, ?, ?)`;
const LOG_CHANGE = `INSERT OR REPLACE INTO changes (seq, collection, document)
  VALUES (${NEXT_CHANGE}, ${THIS_COLLECTION}, ${THIS_DOCUMENT})`;
const DELETE_DOCUMENT = `DELETE FROM documents WHERE collection = ${THIS_COLLECTION} AND id = ?`;

/** A commit between the search in memory and the reading of its rows is met by searching again. */
const SEARCH_ATTEMPTS = 5;
/** A longer search goes to a thread of its own; handing it over costs about 0.1 ms. */
const ON_LOOP_MS_MAX = 0.5;

/** Passages in SQLite, searched in memory. */
export class SqlitePassageIndex implements PassageIndex {
  readonly reembedding: Reembedding;
  readonly fusion: SqliteFusionStore;
  readonly transfer: Transfer;
  readonly #database: Database;
  readonly #embedder: Space;
  readonly #collections: SqliteCollections;
  readonly #passages: SqlitePassages;
  readonly #ahead = new TextsAhead();
  readonly #scanner = new Scanner(0);
  readonly #builder = new Builder();
  readonly #pool = new ScanPool((plan) => this.#scanner.scan(plan));

  /** `bytesMax`: of all collections that are held in memory. See `SqliteCollections`. */
  constructor(database: Database, embedder: Space, { bytesMax }: { readonly bytesMax?: number } = {}) {
    const open = ({ tenant, collection }: Scope) => new LiveCollection(database, tenant, collection, this.#builder);
    this.#collections = new SqliteCollections(open, bytesMax);
    this.fusion = new SqliteFusionStore(database);
    this.transfer = createSqliteTransfer(database);
    this.#database = database;
    this.#passages = new SqlitePassages(database);
    this.#embedder = embedder;
    this.reembedding = createSqliteReembedding(database, embedder, (scope) => this.#takeOver(scope));
  }

  async expect(scope: Scope, query: TextQuery, { asOf }: Pick<CallOptions, "asOf">): Promise<void> {
    await this.#collections.search(scope, async (live) => {
      const partition = await live.recent(asOf);
      const { byText } = await this.#scan(partition, { ...query, groups: scope.groups });
      this.#ahead.put(scope, query, partition.state, byText);
    });
  }

  async search(scope: Scope, query: SearchQuery, { asOf }: Pick<CallOptions, "asOf"> = {}): Promise<SearchResult> {
    if (query.vector) checkVector(query.vector, this.#embedder);
    return this.#collections.search(scope, (live) => this.#search(live, scope, query, asOf));
  }

  async replace(
    scope: Scope,
    document: Document,
    passages: readonly PassageInput[],
    { readableOnly = false }: Pick<ReplaceOptions, "readableOnly"> = {},
  ): Promise<void> {
    const collection = [scope.tenant, scope.collection];
    const key = [...collection, document.id];
    const { model, dimensions } = this.#embedder;
    for (const { vector } of passages) if (vector) checkVector(vector, this.#embedder);
    const statements: Statement[] = [
      { sql: CREATE_COLLECTION, values: [...collection, model, dimensions] },
      { sql: SAME_SPACE, values: [...collection, model, dimensions], guard: true },
      ...(readableOnly ? [replaceable(scope, document)] : []),
      { sql: DELETE_PASSAGES, values: key },
      { sql: UPSERT_DOCUMENT, values: [...collection, ...documentValues(document, passages.length)] },
      ...passages.map((passage, ordinal) => ({
        sql: INSERT_PASSAGE,
        values: [...key, ...passageValues(passage, ordinal)],
      })),
      { sql: LOG_CHANGE, values: [...collection, ...key] },
    ];
    const content = asStored(document, passages);
    if (this.#collections.has(scope)) this.#passages.leave(scope, document.id);
    const commit = this.#database
      .writeAndRead<WrittenRow>(statements, { sql: WRITTEN_ROWS, values: key })
      .then((rows) => rows && commitOf(rows));
    const [committed] = await Promise.all([
      commit,
      this.#collections.ifHeld(scope, (live) => live.write(content, commit)),
    ]);
    if (committed) this.#passages.wrote(committed.rows, content.document, content.passages);
    else {
      const stored = spaceOf(this.#database, scope.tenant, scope.collection);
      if (stored && !isSame(stored, this.#embedder)) throw this.#spaceConflict(scope, stored);
      if (readableOnly) throw await this.#refusal(scope, document);
    }
    await this.#takeOver(scope);
  }

  async delete(scope: Scope, documentId: string): Promise<boolean> {
    const collection = [scope.tenant, scope.collection];
    if (this.#collections.has(scope)) this.#passages.leave(scope, documentId);
    const changes = await this.#database.write([
      { sql: FIND, values: [...collection, groupList(scope), documentId], guard: true },
      { sql: LOG_CHANGE, values: [...collection, ...collection, documentId] },
      { sql: DELETE_DOCUMENT, values: [...collection, documentId] },
      ...dropSegmentsOfEmpty(this.#database, scope),
    ]);
    await this.#takeOver(scope);
    return changes !== null;
  }

  async has({ tenant, collection }: Scope, documentId: string): Promise<boolean> {
    return this.#database.get(HAS, tenant, collection, documentId) !== undefined;
  }

  async find(scope: Scope, documentId: string): Promise<DocumentEntry | null> {
    const row = this.#database.get<DocumentRow>(FIND, scope.tenant, scope.collection, groupList(scope), documentId);
    return row ? entry(row) : null;
  }

  async groups({ tenant, collection }: Scope): Promise<string[]> {
    return this.#database.all<{ name: string }>(GROUPS, tenant, collection).map(({ name }) => name);
  }

  async list(scope: Scope, page: { readonly after?: string; readonly limit: number }): Promise<DocumentPage> {
    const { after = "", limit } = page;
    const values = [scope.tenant, scope.collection, groupList(scope), after, limit + 1];
    const rows = this.#database.all<DocumentRow>(LIST, ...values);
    return pageOf(rows, limit, entry);
  }

  async version(scope: Scope, call: Pick<CallOptions, "asOf"> = {}): Promise<string> {
    const version = await this.#collections.search(scope, async (live) => {
      await live.recent(call.asOf);
      return live.version;
    });
    return `${this.#database.id}:${version}:${this.fusion.stamp(scope, call)}`;
  }

  async status(scope: Scope): Promise<IndexStatus> {
    const values = [scope.tenant, scope.collection, groupList(scope)];
    const counts = this.#database.get<{ documents: number; passages: number }>(COUNTS, ...values);
    return {
      documents: counts?.documents ?? 0,
      passages: counts?.passages ?? 0,
      // Of documents that one may not read not even the space is known.
      embedder: counts?.documents ? (spaceOf(this.#database, scope.tenant, scope.collection)?.model ?? null) : null,
    };
  }

  async warm(scope: Scope): Promise<void> {
    await this.#collections.search(scope, (live) => live.current());
  }

  async settle(scope: Scope): Promise<void> {
    await this.#collections.search(scope, (live) => live.settle());
  }

  async close(): Promise<void> {
    await this.#pool.close();
    await this.#collections.close();
    await this.#builder.close();
  }

  async #search(
    live: LiveCollection,
    scope: Scope,
    query: SearchQuery,
    asOf: number | undefined,
  ): Promise<SearchResult> {
    for (let attempt = 0; attempt < SEARCH_ATTEMPTS; attempt++) {
      const partition = await (attempt === 0 ? live.recent(asOf) : live.current());
      if (query.vector && !this.#isSearchable(scope, live.space)) return { byText: [], byVector: [] };
      const ahead = this.#ahead.take(scope, query, partition.state);
      const { text, ...rest } = query;
      const left = ahead || text === undefined ? rest : query;
      const scanned = await this.#scan(partition, { ...left, groups: scope.groups });
      const { byVector, byText } = ahead ? { ...scanned, byText: ahead } : scanned;
      const passages = this.#passages.read([...byText, ...byVector]);
      if (passages) return { byText: scored(byText, passages), byVector: scored(byVector, passages) };
    }
    throw new RaglineError("dependency_failed", "The index changed too often to be read.");
  }

  /** What a write has met that was refused. What is there now may be another one already. */
  async #refusal(scope: Scope, document: Document): Promise<RaglineError> {
    const stored = await this.find(scope, document.id);
    return (stored && replacementRefusal(scope, stored, document)) ?? idTaken(document.id);
  }

  /** On this thread where that is short. */
  #scan(partition: Partition, query: PartitionQuery): ScanResult | Promise<ScanResult> {
    const plan = partition.plan(query);
    return estimatedMs(plan) > ON_LOOP_MS_MAX ? this.#pool.scan(plan) : this.#scanner.scan(plan);
  }

  /** Every search from now on sees what is written. One finds out what is wrong with reading; it is written. */
  async #takeOver(scope: Scope): Promise<void> {
    await this.#collections.ifHeld(scope, (live) => live.current()).catch(() => undefined);
  }

  /**
   * False: nothing that may be read is stored, so that there is nothing to compare with, or to name.
   * @throws RaglineError `conflict`: the readable documents are of another space than the configured embedder's
   */
  #isSearchable(scope: Scope, stored: Space | null): boolean {
    if (!stored || isSame(stored, this.#embedder)) return true;
    const counts = this.#database.get<{ documents: number }>(COUNTS, scope.tenant, scope.collection, groupList(scope));
    if (!counts?.documents) return false;
    throw this.#spaceConflict(scope, stored);
  }

  #spaceConflict(scope: Scope, stored: Space): RaglineError {
    return spaceConflict(scope, stored, this.#embedder, "move the collection with `ragline reindex`");
  }
}

function passageValues({ text, headings, tokens, page, pageEnd, vector }: PassageInput, ordinal: number) {
  return [ordinal, JSON.stringify(headings), text, tokens, page ?? null, pageEnd ?? null, vector && bytes(vector)];
}

function replaceable(scope: Scope, document: Document): Statement {
  const key = [scope.tenant, scope.collection, document.id];
  const values = [...key, ...key, groupList(scope), Number(isReadable(document, scope))];
  return { sql: REPLACEABLE, values, guard: true };
}

function groupList(scope: Scope): string {
  return JSON.stringify(scope.groups);
}

function scored(hits: readonly RowHit[], passages: ReadonlyMap<number, Passage>): ScoredPassage[] {
  return hits.flatMap(({ row, score }) => {
    const passage = passages.get(row);
    return passage ? [{ passage, score }] : [];
  });
}
