import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Builder } from "../../resident/builder.ts";
import { Partition, type ResidentPassage } from "../../resident/partition.ts";
import type { Metadata } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { sqliteError, toSqliteFailure } from "../sqlite/failure.ts";
import { floats } from "../sqlite/vector-blob.ts";
import { type Commit, type Content, OwnWrites } from "./own-writes.ts";
import { StoredSegments } from "./sqlite-segments.ts";
import { isSame, type Space } from "./vector-space.ts";

/** Without documents a collection has no vector space, whatever was in it before. */
const SPACE = `SELECT embedder AS model, dimensions FROM collections WHERE tenant = ? AND name = ?
  AND EXISTS (SELECT 1 FROM documents d WHERE d.collection = collections.row)`;
const CHANGES = `SELECT seq, document FROM changes
  WHERE collection = (SELECT row FROM collections WHERE tenant = ? AND name = ?) AND seq > ? ORDER BY seq`;
const PASSAGES = `SELECT p.row, p.document, p.headings, p.text, p.vector, d.title, d.metadata, d.groups
  FROM documents d JOIN passages p ON p.document = d.row WHERE d.row = ? ORDER BY p.ordinal`;
/** Passages taken over at once. */
const BATCH_PASSAGES = 256;
/**
 * So long after a look for changes a search goes on with the state of then, while a later one is taken over. The look may be
 * 50 ms old itself: others' commits are seen within 200 ms.
 */
const OUTDATED_MS_MAX = 100;

interface Change {
  readonly seq: number;
  readonly document: number;
}

interface LoadedRow {
  readonly row: number;
  readonly document: number;
  readonly headings: string;
  readonly text: string;
  readonly vector: Uint8Array | null;
  readonly title: string;
  readonly metadata: string;
  readonly groups: string;
}

/** One collection's index in memory, kept up with the file: whoever committed, this process or another. */
export class LiveCollection {
  readonly #database: Database;
  readonly #tenant: string;
  readonly #collection: string;
  readonly #builder: Builder;
  #partition: Partition;
  #reader: DatabaseSync | null = null;
  #statement: StatementSync | null = null;
  #dataVersion = -1;
  /** When the partition was last known to hold all there was. */
  #currentAt = Number.NEGATIVE_INFINITY;
  #seq = 0;
  #isRestored = false;
  #space: Space | null = null;
  #catchingUp: Promise<void> | null = null;
  readonly #own = new OwnWrites();
  readonly #stored: StoredSegments;
  #storing: Promise<void> | null = null;
  #isSettling = false;
  readonly #closed = new AbortController();

  constructor(database: Database, tenant: string, collection: string, builder: Builder) {
    this.#builder = builder;
    this.#partition = new Partition(builder);
    this.#stored = new StoredSegments(database, tenant, collection);
    this.#database = database;
    this.#tenant = tenant;
    this.#collection = collection;
  }

  /**
   * The index as it was at most 150 ms ago, without waiting where that is at hand: what came since is taken over in the
   * background. `asOf`: a look for changes at that time or later will do.
   */
  async recent(asOf?: number): Promise<Partition> {
    if (!this.#catchingUp) this.#look(asOf);
    if (this.#catchingUp && performance.now() - this.#currentAt > OUTDATED_MS_MAX) return this.current(asOf);
    return this.#partition;
  }

  /** The index with every change in it that was committed before the call; `asOf`: before that time. */
  async current(asOf?: number): Promise<Partition> {
    // It may have begun before the commit that this caller waits for; one that begins from here on has not.
    await this.#catchingUp;
    if (!this.#catchingUp) this.#look(asOf);
    await this.#catchingUp;
    return this.#partition;
  }

  /** Beside the commit of a document, which is then taken over without being read. See `OwnWrites.add`. */
  async write(content: Content, commit: Promise<Commit | null>): Promise<void> {
    await this.#own.add(content, commit, this.#partition);
  }

  /** Takes over what was committed, and stores what a start would otherwise derive. */
  async settle(): Promise<void> {
    if (!this.#stored.isOutdated()) return;
    this.#isSettling = true;
    await this.current();
    // One that was under way may have passed over the smaller ones.
    await this.#storing;
    this.#storing ??= this.#store();
    await this.#storing;
    this.#isSettling = false;
  }

  /** The latest change taken over: as of the last `current`. */
  get version(): number {
    return this.#seq;
  }

  /** Null while nothing was ever indexed: as of the last `current`. */
  get space(): Space | null {
    return this.#space;
  }

  /** Nothing was ever written to it, or nothing is loaded yet. */
  get isEmpty(): boolean {
    return this.#seq === 0;
  }

  /** What it takes in memory, about. */
  get bytes(): number {
    return this.#partition.bytes;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#catchingUp?.catch(() => undefined);
    await this.#storing;
    this.#closeReader();
    this.#partition.drop();
  }

  #closeReader(): void {
    this.#reader?.close();
    this.#reader = null;
    this.#statement = null;
  }

  /** Begins to catch up where there is something new. */
  #look(asOf: number | undefined): void {
    const lookedAt = performance.now();
    const version = this.#database.dataVersion(asOf);
    if (version === this.#dataVersion) {
      this.#currentAt = lookedAt;
      return;
    }
    // A search that notices a change does not carry it out.
    const catchingUp = yieldToOthers()
      .then(() => this.#catchUp(version))
      .then(() => {
        this.#currentAt = lookedAt;
      });
    this.#catchingUp = catchingUp.finally(() => {
      this.#catchingUp = null;
    });
    // Whoever waits for it hears of a failure, and so does the next search.
    this.#catchingUp.catch(() => {
      this.#currentAt = Number.NEGATIVE_INFINITY;
    });
  }

  /** Passages of two vector spaces never meet in one partition, though the collection is moved while it is being read. */
  async #catchUp(version: number): Promise<void> {
    for (;;) {
      const space = spaceOf(this.#database, this.#tenant, this.#collection);
      if (this.#space && space && !isSame(this.#space, space)) {
        this.#partition = new Partition(this.#builder);
        this.#seq = 0;
        this.#currentAt = Number.NEGATIVE_INFINITY;
      }
      this.#space = space ?? this.#space;
      let failed: unknown = null;
      await this.#takeChanges().catch((thrown: unknown) => {
        failed = thrown;
      });
      const now = spaceOf(this.#database, this.#tenant, this.#collection);
      if (space && now && !isSame(space, now)) continue;
      if (failed) throw failed;
      this.#space = now;
      this.#dataVersion = version;
      return;
    }
  }

  async #takeChanges(): Promise<void> {
    const changes = this.#database.all<Change>(CHANGES, this.#tenant, this.#collection, this.#seq);
    if (changes.length === 0) return;
    await this.#apply(this.#isRestored ? changes : await this.#restore(changes), changes.at(-1)?.seq ?? this.#seq);
    this.#storing ??= this.#store();
  }

  /** Takes over what is stored ready for searching. Returns the changes that are not in it. */
  async #restore(changes: readonly Change[]): Promise<Change[]> {
    this.#isRestored = true;
    this.#reader ??= this.#database.openReader();
    const left = new Map(changes.map(({ seq, document }) => [document, seq]));
    for await (const { segment, outdated } of this.#stored.restore(this.#reader, this.#partition.vocabulary, left)) {
      this.#partition.restore(segment, outdated);
    }
    // Its page cache is full of what is not read again.
    this.#closeReader();
    return changes.filter(({ document }) => left.has(document));
  }

  /** In the background. What is stored is derived: a start without it only takes longer. */
  async #store(): Promise<void> {
    try {
      await this.#partition.merged();
      if (this.#isSettling) await this.#partition.compact();
      const { segments, vocabulary } = this.#partition;
      await this.#stored.keep(segments, vocabulary, this.#isSettling, this.#closed.signal);
    } catch {
      // The disk is full, or the file is closed.
    } finally {
      this.#storing = null;
    }
  }

  /** Documents are read one by one, each whole: a document changed meanwhile is in the log again, and is read again. */
  async #apply(changes: readonly Change[], lastSeq: number): Promise<void> {
    await this.#own.heard(changes);
    let removedDocuments: number[] = [];
    let added: ResidentPassage[] = [];
    for (const { seq, document } of changes) {
      removedDocuments.push(document);
      for (const passage of this.#own.passagesOf(seq, this.#partition) ?? this.#read(document)) added.push(passage);
      if (added.length >= BATCH_PASSAGES) {
        await this.#partition.applyInSlices({ removedDocuments, added }, seq);
        this.#seq = seq;
        removedDocuments = [];
        added = [];
      }
    }
    await this.#partition.applyInSlices({ removedDocuments, added }, lastSeq);
    this.#seq = lastSeq;
    this.#own.forgetUpTo(lastSeq);
  }

  #read(document: number): ResidentPassage[] {
    this.#reader ??= this.#database.openReader();
    this.#statement ??= this.#reader.prepare(PASSAGES);
    try {
      return (this.#statement.all(document) as unknown as LoadedRow[]).map(decode);
    } catch (cause) {
      throw sqliteError(this.#database.file, "read", toSqliteFailure(cause));
    }
  }
}

/** Null where nothing is stored. */
export function spaceOf(database: Database, tenant: string, collection: string): Space | null {
  return database.get<Space>(SPACE, tenant, collection) ?? null;
}

function decode(row: LoadedRow): ResidentPassage {
  return {
    row: row.row,
    documentRow: row.document,
    title: row.title,
    headings: JSON.parse(row.headings) as string[],
    text: row.text,
    vector: row.vector && floats(row.vector),
    metadata: JSON.parse(row.metadata) as Metadata,
    groups: JSON.parse(row.groups) as string[],
  };
}
