import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { Partition, type ResidentPassage } from "../../resident/partition.ts";
import type { PassageParts } from "../../text/passage-text.ts";
import type { Metadata } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { sqliteError, toSqliteFailure } from "../sqlite/failure.ts";
import { floats } from "../sqlite/vector-blob.ts";
import { StoredSegments } from "./sqlite-segments.ts";

/** Without documents a collection has no vector space, whatever was in it before. */
const SPACE = `SELECT embedder, dimensions FROM collections WHERE tenant = ? AND name = ?
  AND EXISTS (SELECT 1 FROM documents d WHERE d.collection = collections.row)`;
const CHANGES = `SELECT seq, document FROM changes
  WHERE collection = (SELECT row FROM collections WHERE tenant = ? AND name = ?) AND seq > ? ORDER BY seq`;
const PASSAGES = `SELECT p.row, p.document, p.headings, p.text, p.vector, d.title, d.metadata, d.groups
  FROM documents d JOIN passages p ON p.document = d.row WHERE d.row = ? ORDER BY p.ordinal`;
/** How long terms are looked for before others get the event loop. */
const PREPARE_SLICE_MS = 0.25;
/** Passages taken over at once; between two batches others get the event loop. */
const BATCH_PASSAGES = 256;

/** The vector space that a collection was indexed in. */
export interface Space {
  readonly embedder: string;
  readonly dimensions: number;
}

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
  #partition = new Partition();
  #reader: DatabaseSync | null = null;
  #dataVersion = -1;
  #seq = 0;
  #isRestored = false;
  #space: Space | null = null;
  #catchingUp: Promise<void> | null = null;
  readonly #stored: StoredSegments;
  #storing: Promise<void> | null = null;
  #isSettling = false;
  readonly #closed = new AbortController();

  constructor(database: Database, tenant: string, collection: string) {
    this.#stored = new StoredSegments(database, tenant, collection);
    this.#database = database;
    this.#tenant = tenant;
    this.#collection = collection;
  }

  /** The index with every change in it that was committed before the call; `asOf`: before that time. */
  async current(asOf?: number): Promise<Partition> {
    // A catch-up that is under way may have begun before the commit that this caller waits for.
    while (this.#catchingUp) await this.#catchingUp;
    const version = this.#database.dataVersion(asOf);
    if (version !== this.#dataVersion) {
      this.#catchingUp = this.#catchUp(version).finally(() => {
        this.#catchingUp = null;
      });
      await this.#catchingUp;
    }
    return this.#partition;
  }

  /** Finds the terms of passages that are being written, in slices: after their commit a search waits the less for them. */
  async prepare(passages: readonly PassageParts[]): Promise<void> {
    let until = performance.now() + PREPARE_SLICE_MS;
    for (const passage of passages) {
      if (performance.now() > until) {
        await yieldToOthers();
        until = performance.now() + PREPARE_SLICE_MS;
      }
      this.#partition.prepare(passage);
    }
  }

  /** Takes over what was committed, and stores what a start would otherwise derive. */
  async settle(): Promise<void> {
    if (!this.#stored.isOutdated()) return;
    this.#isSettling = true;
    await this.current();
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

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#storing;
    this.#reader?.close();
    this.#reader = null;
  }

  /** Passages of two vector spaces never meet in one partition, though the collection is moved while it is being read. */
  async #catchUp(version: number): Promise<void> {
    for (;;) {
      const space = spaceOf(this.#database, this.#tenant, this.#collection);
      if (this.#space && space && !isSame(this.#space, space)) {
        this.#partition = new Partition();
        this.#seq = 0;
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
    this.#reader.close();
    this.#reader = null;
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
    this.#reader ??= this.#database.openReader();
    const statement = this.#reader.prepare(PASSAGES);
    let removedDocuments: number[] = [];
    let added: ResidentPassage[] = [];
    for (const { seq, document } of changes) {
      removedDocuments.push(document);
      for (const row of this.#rowsOf(statement, document)) added.push(decode(row));
      if (added.length >= BATCH_PASSAGES) {
        this.#partition.apply({ removedDocuments, added }, seq);
        this.#seq = seq;
        removedDocuments = [];
        added = [];
        await yieldToOthers();
      }
    }
    this.#partition.apply({ removedDocuments, added }, lastSeq);
    this.#seq = lastSeq;
  }

  #rowsOf(statement: StatementSync, document: number): LoadedRow[] {
    try {
      return statement.all(document) as unknown as LoadedRow[];
    } catch (cause) {
      throw sqliteError(this.#database.file, "read", toSqliteFailure(cause));
    }
  }
}

export function spaceOf(database: Database, tenant: string, collection: string): Space | null {
  return database.get<Space>(SPACE, tenant, collection) ?? null;
}

function isSame(a: Space, b: Space): boolean {
  return a.embedder === b.embedder && a.dimensions === b.dimensions;
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
