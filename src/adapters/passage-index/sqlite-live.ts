import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { Partition, type ResidentPassage } from "../../resident/partition.ts";
import type { Metadata } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { sqliteError, toSqliteFailure } from "../sqlite/failure.ts";

/** Without documents a collection has no vector space, whatever was in it before. */
const SPACE = `SELECT embedder, dimensions FROM collections WHERE tenant = ? AND name = ?
  AND EXISTS (SELECT 1 FROM documents d WHERE d.collection = collections.row)`;
const CHANGES = `SELECT seq, document FROM changes
  WHERE collection = (SELECT row FROM collections WHERE tenant = ? AND name = ?) AND seq > ? ORDER BY seq`;
const PASSAGES = `SELECT p.row, p.document, p.headings, p.text, p.vector, d.title, d.metadata, d.groups
  FROM documents d JOIN passages p ON p.document = d.row WHERE d.row = ? ORDER BY p.ordinal`;
/** Passages taken over at once; between two batches others get the event loop. */
const BATCH_PASSAGES = 256;

/** The vector space that a collection was indexed in. */
export interface Space {
  readonly embedder: string;
  readonly dimensions: number;
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
  #space: Space | null = null;
  #catchingUp: Promise<void> | null = null;

  constructor(database: Database, tenant: string, collection: string) {
    this.#database = database;
    this.#tenant = tenant;
    this.#collection = collection;
  }

  /** The index with every change in it that was committed before the call. */
  async current(): Promise<Partition> {
    // A catch-up that is under way may have begun before the commit that this caller waits for.
    while (this.#catchingUp) await this.#catchingUp;
    const version = this.#database.dataVersion();
    if (version !== this.#dataVersion) {
      this.#catchingUp = this.#catchUp(version).finally(() => {
        this.#catchingUp = null;
      });
      await this.#catchingUp;
    }
    return this.#partition;
  }

  /** The latest change taken over: as of the last `current`. */
  get version(): number {
    return this.#seq;
  }

  /** Null while nothing was ever indexed: as of the last `current`. */
  get space(): Space | null {
    return this.#space;
  }

  close(): void {
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
    const changes = this.#database.all<{ seq: number; document: number }>(
      CHANGES,
      this.#tenant,
      this.#collection,
      this.#seq,
    );
    if (changes.length > 0) await this.#apply(changes);
  }

  /** Documents are read one by one, each whole: a document changed meanwhile is in the log again, and is read again. */
  async #apply(changes: readonly { readonly seq: number; readonly document: number }[]): Promise<void> {
    this.#reader ??= this.#database.openReader();
    const statement = this.#reader.prepare(PASSAGES);
    let removedDocuments: number[] = [];
    let added: ResidentPassage[] = [];
    for (const { seq, document } of changes) {
      removedDocuments.push(document);
      for (const row of this.#rowsOf(statement, document)) added.push(decode(row));
      if (added.length >= BATCH_PASSAGES) {
        this.#partition.apply({ removedDocuments, added });
        this.#seq = seq;
        removedDocuments = [];
        added = [];
        await yieldToOthers();
      }
    }
    this.#partition.apply({ removedDocuments, added });
    this.#seq = changes.at(-1)?.seq ?? this.#seq;
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

/** A BLOB may start at any address; floats need one divisible by four. */
function floats(blob: Uint8Array): Float32Array {
  return new Float32Array(blob.slice().buffer);
}
