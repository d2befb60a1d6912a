import type { DatabaseSync } from "node:sqlite";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Segment } from "../../resident/segment.ts";
import { decodeSegment, encodeSegment, STORED_FORMAT } from "../../resident/stored.ts";
import { setVector } from "../../resident/vectors.ts";
import type { Vocabulary } from "../../resident/vocabulary.ts";
import type { Scope } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { floats } from "../sqlite/vector-blob.ts";
import type { Statement } from "../sqlite/writer.ts";

/** Made when first needed: rebuilding a file leaves them out. */
export const SEGMENT_TABLES = [
  `CREATE TABLE IF NOT EXISTS segments (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, collection TEXT NOT NULL,
    format INTEGER NOT NULL, as_of INTEGER NOT NULL, parts INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS segment_parts (segment INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (segment, part))`,
];
const HAS_TABLES = "SELECT 1 FROM sqlite_schema WHERE name = 'segment_parts'";
const STORED = `SELECT id, as_of AS asOf, parts FROM segments WHERE tenant = ? AND collection = ? AND format = ?
  ORDER BY as_of DESC`;
const PARTS = "SELECT bytes FROM segment_parts WHERE segment = ? ORDER BY part";
const VECTORS = "SELECT row, vector FROM passages WHERE document = ? ORDER BY row";
const INSERT_PART = "INSERT INTO segment_parts (segment, part, bytes) VALUES (?, ?, ?)";
const HAS_DOCUMENTS = `EXISTS (SELECT 1 FROM documents d JOIN collections c ON c.row = d.collection WHERE c.tenant = ? AND c.name = ?)`;
const INSERT = `INSERT INTO segments (id, tenant, collection, format, as_of, parts) SELECT ?, ?, ?, ?, ?, ? WHERE ${HAS_DOCUMENTS}`;
const OF_EMPTY = `FROM segments WHERE tenant = ? AND collection = ? AND NOT ${HAS_DOCUMENTS}`;
const DELETE_OTHERS = `DELETE FROM segments WHERE tenant = ? AND collection = ? AND id NOT IN (SELECT value FROM json_each(?))`;
export const DELETE_ORPHANS = "DELETE FROM segment_parts WHERE segment NOT IN (SELECT id FROM segments)";
/** Only the change that the latest stored segment knows of. */
const UNSTORED = `SELECT coalesce(sum(d.passages), 0) AS passages FROM documents d
  JOIN collections c ON c.row = d.collection JOIN changes l ON l.document = d.row WHERE c.tenant = ? AND c.name = ?
  AND l.seq > ?`;
const LATEST =
  "SELECT coalesce(max(as_of), 0) AS asOf FROM segments WHERE tenant = ? AND collection = ? AND format = ?";
/** Fewer passages are read and tokenised again sooner than their segment is kept up. */
const STORED_PASSAGES_MIN = 2048;
/** The same where nothing more is going to be written for now. */
const SETTLED_PASSAGES_MIN = 128;
const ID_MAX = 2 ** 48;
/** How long vectors are read before others get the event loop. */
const READ_SLICE_MS = 2;

/** A segment read back, with the documents in it that have changed since. */
export interface Restored {
  readonly segment: Segment;
  readonly outdated: readonly number[];
}

/**
 * The larger segments of one collection, kept in the file so that a start need not read and tokenise every text again. They are
 * derived and may be missing, outdated or made by another process: a document in one counts where its latest change is not later
 * than the segment, and its rows are still the ones in it; any other is read from its text.
 */
export class StoredSegments {
  readonly #database: Database;
  readonly #tenant: string;
  readonly #collection: string;
  readonly #idOf = new WeakMap<Segment, number>();

  constructor(database: Database, tenant: string, collection: string) {
    this.#database = database;
    this.#tenant = tenant;
    this.#collection = collection;
  }

  /** Reads segments back. Takes the documents it finds out of `changes`, the latest change by document. */
  async *restore(reader: DatabaseSync, vocabulary: Vocabulary, changes: Map<number, number>): AsyncGenerator<Restored> {
    if (!this.#database.get(HAS_TABLES)) return;
    const stored = this.#database.all<{ id: number; asOf: number; parts: number }>(
      STORED,
      this.#tenant,
      this.#collection,
      STORED_FORMAT,
    );
    const parts = reader.prepare(PARTS);
    for (const { id, asOf } of stored) {
      const segment = await decodedOrNull(blobs(parts.iterate(id)), vocabulary, asOf);
      if (!segment) continue;
      this.#idOf.set(segment, id);
      yield { segment, outdated: await readVectors(reader, segment, changes) };
    }
  }

  /** Whether a start would have to tokenise much. */
  isOutdated(): boolean {
    const key = [this.#tenant, this.#collection] as const;
    const { asOf = 0 } =
      (this.#database.get(HAS_TABLES) && this.#database.get<{ asOf: number }>(LATEST, ...key, STORED_FORMAT)) ?? {};
    const unstored = this.#database.get<{ passages: number }>(UNSTORED, ...key, asOf);
    return (unstored?.passages ?? 0) >= STORED_PASSAGES_MIN;
  }

  /**
   * Stores the larger of the segments that are not stored yet, and drops those that are no longer among them. `settled`: the
   * smaller ones too.
   */
  async keep(
    segments: readonly Segment[],
    vocabulary: Vocabulary,
    settled: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const least = settled ? SETTLED_PASSAGES_MIN : STORED_PASSAGES_MIN;
    const larger = segments.filter((segment) => segment.size >= least || this.#idOf.has(segment));
    const fresh = larger.filter((segment) => !this.#idOf.has(segment));
    if (segments.length === 0) await this.#drop([]);
    if (fresh.length === 0) return;
    await this.#database.write(SEGMENT_TABLES.map((sql) => ({ sql, values: [] })));
    for (const segment of fresh) {
      const id = Math.floor(Math.random() * ID_MAX);
      let part = 0;
      for (const bytes of encodeSegment(segment, vocabulary)) {
        await this.#database.write([{ sql: INSERT_PART, values: [id, part++, bytes] }]);
        if (signal.aborted) return;
      }
      this.#idOf.set(segment, id);
      const key = [this.#tenant, this.#collection];
      const values = [id, ...key, STORED_FORMAT, segment.asOf, part, ...key];
      await this.#database.write([{ sql: INSERT, values }]);
    }
    await this.#drop(larger.flatMap((segment) => this.#idOf.get(segment) ?? []));
  }

  /** Deletes all but these. */
  async #drop(kept: readonly number[]): Promise<void> {
    if (!this.#database.get(HAS_TABLES)) return;
    await this.#database.write([
      { sql: DELETE_OTHERS, values: [this.#tenant, this.#collection, JSON.stringify(kept)] },
      { sql: DELETE_ORPHANS, values: [] },
    ]);
  }
}

/** With the deletion of a document: a collection without any keeps no segment, whose words are of those that are gone. */
export function dropSegmentsOfEmpty(database: Database, { tenant, collection }: Scope): Statement[] {
  if (!database.get(HAS_TABLES)) return [];
  const values = [tenant, collection, tenant, collection];
  return [
    { sql: `DELETE FROM segment_parts WHERE segment IN (SELECT id ${OF_EMPTY})`, values },
    { sql: `DELETE ${OF_EMPTY}`, values },
  ];
}

function* blobs(rows: Iterable<unknown>): Generator<Uint8Array> {
  for (const row of rows) yield (row as { bytes: Uint8Array }).bytes;
}

async function decodedOrNull(
  parts: Iterable<Uint8Array>,
  vocabulary: Vocabulary,
  asOf: number,
): Promise<Segment | null> {
  try {
    return await decodeSegment(parts, vocabulary, asOf);
  } catch {
    return null;
  }
}

/** Fills in the vectors. Returns the documents that are not as they are in the segment. */
async function readVectors(reader: DatabaseSync, segment: Segment, changes: Map<number, number>): Promise<number[]> {
  const { rows, starts, ends } = segment.documents;
  const statement = reader.prepare(VECTORS);
  const outdated: number[] = [];
  let until = 0;
  for (const [run, document] of rows.entries()) {
    if (performance.now() > until) {
      await yieldToOthers();
      until = performance.now() + READ_SLICE_MS;
    }
    const change = changes.get(document);
    const [start, end] = [starts[run] as number, ends[run] as number];
    if (change !== undefined && change <= segment.asOf && isFilled(statement.iterate(document), segment, start, end)) {
      changes.delete(document);
    } else {
      outdated.push(document);
    }
  }
  return outdated;
}

/** One row at a time: many at once would leave V8's young generation larger for good. */
function isFilled(passages: Iterable<unknown>, { arrays }: Segment, start: number, end: number): boolean {
  let at = start;
  for (const passage of passages) {
    const { row, vector } = passage as { row: number; vector: Uint8Array | null };
    if (at === end || row !== arrays.rows[at]) return false;
    if (vector) {
      if (vector.length !== 4 * (arrays.vectors?.dimensions ?? 0)) return false;
      if (arrays.vectors) setVector(arrays.vectors, at, floats(vector));
    }
    at++;
  }
  return at === end;
}
