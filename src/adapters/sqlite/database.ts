import { basename, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { RaglineError } from "../../errors.ts";
import { Prepared, rollBack } from "./connect.ts";
import { sqliteError, toSqliteFailure } from "./failure.ts";
import { type OpenedDatabase, openDatabase } from "./open.ts";
import { checkStillThere } from "./opened-file.ts";
import { type Row, type SqlValue, type Statement, type Transaction, Writer } from "./writer.ts";

/** A file that was deleted is noticed so long after it at the latest, when it is read. */
const CHECKED_EVERY_MS = 100;
/** How long a request may go on with what it has looked up: others' commits are seen within 200 ms. */
const LOOKED_UP_MS_MAX = 50;

/** One SQLite file: reads on this thread, writes on another. */
export class Database {
  readonly file: string;
  readonly #opened: OpenedDatabase;
  readonly #writer: Writer;
  #id: string | undefined;
  #isClosed = false;
  #checkedAt = performance.now();
  #dataVersion = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #prepared = new Map<string, Prepared>();

  private constructor(file: string, opened: OpenedDatabase) {
    this.file = file;
    this.#opened = opened;
    this.#writer = new Writer({ file, identity: opened.identity });
  }

  /**
   * A file that this user may not write is opened for reading.
   * @throws RaglineError `config_invalid`: the file cannot be opened, is damaged, is no Ragline database, or of another version;
   * `overloaded`: the disk is full: even reading takes some space beside the file.
   */
  static open(path: string): Database {
    const file = resolve(path);
    return new Database(file, openDatabase(path, file));
  }

  /** Another one for every file that was ever made. */
  get id(): string {
    this.#id ??= this.get<{ id: string }>("SELECT id FROM identity")?.id ?? "";
    return this.#id;
  }

  all<T extends object = Row>(sql: string, ...values: SqlValue[]): T[] {
    return this.#read((statement) => statement.all(values) as T[], sql);
  }

  get<T extends object = Row>(sql: string, ...values: SqlValue[]): T | undefined {
    return this.#read((statement) => statement.get(values) as T | undefined, sql);
  }

  /** What is read in it is of one moment: what is committed meanwhile is not seen. */
  snapshot<T>(read: () => T): T {
    this.all("BEGIN");
    try {
      return read();
    } finally {
      rollBack(this.#opened.reader);
    }
  }

  /** What keeps every write from succeeding, and how to mend it; null: nothing that is known. */
  get problem(): string | null {
    return this.#opened.readOnly ? this.#readOnly().message : null;
  }

  /** See `Writer.write`. */
  async write(statements: Transaction): Promise<number[] | null> {
    this.#checkWritable();
    return this.#writer.write(statements);
  }

  /** See `Writer.writeAndRead`. */
  async writeAndRead<T extends object = Row>(statements: Transaction, query: Statement): Promise<T[] | null> {
    this.#checkWritable();
    return (await this.#writer.writeAndRead(statements, query)) as T[] | null;
  }

  /**
   * Changes whenever another connection, this process's writer included, has committed. Looking takes a lock on the file; `asOf`:
   * a look at that time or later will do.
   */
  dataVersion(asOf = Number.POSITIVE_INFINITY): number {
    const now = performance.now();
    if (this.#lookedAt < Math.max(asOf, now - LOOKED_UP_MS_MAX)) {
      this.#dataVersion = this.get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? 0;
      this.#lookedAt = now;
    }
    return this.#dataVersion;
  }

  /** A second connection for long reads, whose snapshot does not hold back the others. */
  openReader(): DatabaseSync {
    checkStillThere(this.file, this.#opened.identity);
    return this.#opened.connect();
  }

  /** What is being written is finished; whatever is asked later is refused as `cancelled`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writer.close();
    this.#opened.reader.close();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RaglineError("cancelled", `${basename(this.file)} was closed.`);
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (this.#opened.readOnly) throw this.#readOnly();
  }

  #readOnly(): RaglineError {
    const message = `${basename(this.file)} is read-only: make the file and its folder writable for this user, then restart Ragline. Searches go on.`;
    return new RaglineError("dependency_failed", message, { retryable: false });
  }

  #read<T>(run: (statement: Prepared) => T, sql: string): T {
    this.#checkOpen();
    this.#checkFile();
    try {
      let statement = this.#prepared.get(sql);
      if (!statement) {
        statement = new Prepared(this.#opened.reader, sql);
        this.#prepared.set(sql, statement);
      }
      return run(statement);
    } catch (cause) {
      throw sqliteError(this.file, "read", toSqliteFailure(cause));
    }
  }

  #checkFile(): void {
    const now = performance.now();
    if (now - this.#checkedAt < CHECKED_EVERY_MS) return;
    checkStillThere(this.file, this.#opened.identity);
    this.#checkedAt = now;
  }
}
