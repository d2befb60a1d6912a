import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { RaglineError } from "../../errors.ts";
import { PRAGMAS } from "./pragmas.ts";
import { SCHEMA, SCHEMA_VERSION } from "./schema.ts";
import { type SqlValue, type Transaction, Writer } from "./writer.ts";

type Row = Readonly<Record<string, SqlValue>>;

/** One SQLite file: reads on this thread, writes on another. */
export class Database {
  readonly file: string;
  readonly #writer: Writer;
  readonly #reader: DatabaseSync;
  #id: string | undefined;
  readonly #prepared = new Map<string, StatementSync>();

  private constructor(file: string, reader: DatabaseSync) {
    this.file = file;
    this.#reader = reader;
    this.#writer = new Writer(file);
  }

  /** @throws RaglineError `config_invalid`: the file cannot be opened, is no Ragline database, or of another version. */
  static open(path: string): Database {
    const file = resolve(path);
    checkPlace(path, file);
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file, { timeout: 10_000 });
      // Before the pragmas: they would change somebody else's database.
      const isNew = !hasTables(database, path);
      database.exec(PRAGMAS);
      if (isNew) createTables(database, path);
      database.exec("PRAGMA query_only = ON");
      return new Database(file, database);
    } catch (cause) {
      database?.close();
      if (cause instanceof RaglineError) throw cause;
      throw new RaglineError("config_invalid", `${path}: cannot be opened as a database: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** Another one for every file that was ever made. */
  get id(): string {
    this.#id ??= this.get<{ id: string }>("SELECT id FROM identity")?.id ?? "";
    return this.#id;
  }

  all<T extends object = Row>(sql: string, ...values: SqlValue[]): T[] {
    return this.#read((statement) => statement.all(...values) as T[], sql);
  }

  get<T extends object = Row>(sql: string, ...values: SqlValue[]): T | undefined {
    return this.#read((statement) => statement.get(...values) as T | undefined, sql);
  }

  /** See `Writer.write`. */
  write(statements: Transaction): Promise<number[] | null> {
    return this.#writer.write(statements);
  }

  /** Changes whenever another connection, this process's writer included, has committed. */
  dataVersion(): number {
    return this.get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? 0;
  }

  /** A second connection for long reads, whose snapshot does not hold back the others. */
  openReader(): DatabaseSync {
    const reader = new DatabaseSync(this.file, { readOnly: true });
    reader.exec("PRAGMA busy_timeout = 10000");
    return reader;
  }

  async close(): Promise<void> {
    await this.#writer.close();
    this.#reader.close();
  }

  #read<T>(run: (statement: StatementSync) => T, sql: string): T {
    try {
      let statement = this.#prepared.get(sql);
      if (!statement) {
        statement = this.#reader.prepare(sql);
        this.#prepared.set(sql, statement);
      }
      return run(statement);
    } catch (cause) {
      throw new RaglineError("dependency_failed", "The database could not be read.", { cause });
    }
  }
}

function checkPlace(path: string, file: string): void {
  const folder = dirname(file);
  if (!existsSync(folder)) throw new RaglineError("config_invalid", `${path}: the folder ${folder} does not exist`);
  if (existsSync(file) && statSync(file).isDirectory()) {
    throw new RaglineError("config_invalid", `${path}: is a folder, not a database file`);
  }
  try {
    accessSync(existsSync(file) ? file : folder, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new RaglineError("config_invalid", `${path}: no permission to write here`, { cause });
  }
}

/** Whether Ragline's tables are there; false in an empty file. @throws RaglineError `config_invalid`: there are others. */
function hasTables(database: DatabaseSync, path: string): boolean {
  const found = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (found === SCHEMA_VERSION) return true;
  const tables = Number(database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.n);
  if (found === 0 && tables === 0) return false;
  const what = found === 0 ? "is not a Ragline database" : `has version ${found}, this Ragline reads ${SCHEMA_VERSION}`;
  throw new RaglineError("config_invalid", `${path}: ${what}; name another file, or delete it and index again`);
}

function createTables(database: DatabaseSync, path: string): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have been here first.
    if (!hasTables(database, path)) database.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}
