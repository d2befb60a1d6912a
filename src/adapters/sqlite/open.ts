import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { RaglineError } from "../../errors.ts";
import { connect, rollBack } from "./connect.ts";
import { isDamage, isFull, REBUILD_HINT, toSqliteFailure } from "./failure.ts";
import { type FileIdentity, identityOf } from "./opened-file.ts";
import { PRAGMAS } from "./pragmas.ts";
import { LATER_COLUMNS, SCHEMA, SCHEMA_VERSION } from "./schema.ts";

export interface OpenedDatabase {
  /** May not write. */
  readonly reader: DatabaseSync;
  /** Another connection of the same kind. */
  readonly connect: () => DatabaseSync;
  readonly identity: FileIdentity;
  /** Neither the file nor what SQLite puts beside it may be written by this user. */
  readonly readOnly: boolean;
}

/**
 * Opens a file, or makes it. `path` is what the user wrote, `file` what it resolves to.
 * @throws RaglineError See `Database.open`.
 */
export function openDatabase(path: string, file: string): OpenedDatabase {
  const readOnly = checkPlace(path, file);
  try {
    return readOnly ? openReadOnly(path, file) : openWritable(path, file);
  } catch (cause) {
    if (cause instanceof RaglineError) throw cause;
    const failure = toSqliteFailure(cause);
    if (isFull(failure)) {
      const full = "cannot be opened: the disk is full, or a size limit is reached. Free space and start again";
      throw new RaglineError("overloaded", `${path}: ${full}`, { cause });
    }
    const problem = isDamage(failure)
      ? `is damaged, or not a database (${failure.message}): if it is Ragline's, ${REBUILD_HINT}; else name another file`
      : `cannot be opened as a database: ${failure.message}`;
    throw new RaglineError("config_invalid", `${path}: ${problem}`, { cause });
  }
}

function openWritable(path: string, file: string): OpenedDatabase {
  const database = connect(file);
  try {
    // Before the pragmas: they would change somebody else's database.
    const isNew = !hasTables(database, path);
    database.exec(PRAGMAS);
    if (isNew) createTables(database, path);
    else addColumns(database);
    checkReadable(database);
    database.exec("PRAGMA query_only = ON");
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  return { reader: database, connect: () => connectReadOnly(file), identity: identify(path, file), readOnly: false };
}

/**
 * A file in a folder that may not be written, where SQLite can put no shared memory, is read as one that never changes: the
 * check of its identity then covers its time of modification.
 */
function openReadOnly(path: string, file: string): OpenedDatabase {
  const hasLog = (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  const kinds = [connectReadOnly, ...(hasLog ? [] : [connectFrozen])];
  let failed: unknown;
  for (const kind of kinds) {
    let reader: DatabaseSync | undefined;
    try {
      reader = kind(file);
      if (!hasTables(reader, path)) throw new RaglineError("config_invalid", `${path}: is empty, and read-only`);
      checkReadable(reader);
      const isFrozen = kind === connectFrozen;
      return { reader, connect: () => kind(file), identity: identify(path, file, isFrozen), readOnly: true };
    } catch (thrown) {
      reader?.close();
      if (thrown instanceof RaglineError || isDamage(toSqliteFailure(thrown))) throw thrown;
      failed = thrown;
    }
  }
  throw failed;
}

function connectReadOnly(file: string): DatabaseSync {
  return connect(file, { readOnly: true });
}

/** @throws Error: Node is too old for it */
function connectFrozen(file: string): DatabaseSync {
  const url = pathToFileURL(file);
  url.searchParams.set("immutable", "1");
  try {
    return connect(url, { readOnly: true });
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new Error("one in a folder that may not be written takes Node 22.15 or newer", { cause });
  }
}

/** Reads something of the tables: a file that was cut opens well enough. */
function checkReadable(database: DatabaseSync): void {
  database.prepare("SELECT id FROM identity").get();
}

function identify(path: string, file: string, isFrozen = false): FileIdentity {
  const identity = identityOf(file, isFrozen);
  if (!identity) throw new RaglineError("config_invalid", `${path}: was deleted while it was being opened`);
  return identity;
}

/** @returns whether it can be read only. */
function checkPlace(path: string, file: string): boolean {
  const folder = dirname(file);
  if (!existsSync(folder)) throw new RaglineError("config_invalid", `${path}: the folder ${folder} does not exist`);
  if (!existsSync(file)) {
    if (isWritable(folder)) return false;
    throw new RaglineError("config_invalid", `${path}: no permission to make a file in ${folder}`);
  }
  if (!statSync(file).isFile()) {
    const what = statSync(file).isDirectory() ? "is a folder, not a database file" : "is not a regular file";
    throw new RaglineError("config_invalid", `${path}: ${what}; name a file`);
  }
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new RaglineError("config_invalid", `${path}: no permission to read it`, { cause });
  }
  return !isWritable(file) || !isWritable(folder);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** One statement, one snapshot: another process may be making the tables. */
const VERSION_AND_TABLES = `SELECT (SELECT user_version FROM pragma_user_version) AS version,
  (SELECT count(*) FROM sqlite_schema) AS tables`;

/** Whether Ragline's tables are there; false in an empty file. @throws RaglineError `config_invalid`: there are others. */
function hasTables(database: DatabaseSync, path: string): boolean {
  const row = database.prepare(VERSION_AND_TABLES).get();
  const found = Number(row?.version);
  if (found === SCHEMA_VERSION) return true;
  if (found === 0 && row?.tables === 0) return false;
  throw new RaglineError("config_invalid", `${path}: ${otherVersion(found)}`);
}

function otherVersion(found: number): string {
  const versions = `it has version ${found}, this Ragline reads ${SCHEMA_VERSION}`;
  if (found === 0) return "is not a Ragline database; name another file";
  if (found > SCHEMA_VERSION) return `was written by a newer Ragline (${versions}): use that one, or name another file`;
  return `was written by an older Ragline (${versions}): \`ragline index --rebuild\` takes its documents and conversations over, and makes cached answers anew`;
}

function createTables(database: DatabaseSync, path: string): void {
  alone(database, () => {
    if (!hasTables(database, path)) database.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function addColumns(database: DatabaseSync): void {
  const missing = () => LATER_COLUMNS.filter(({ table, column }) => !hasColumn(database, table, column));
  if (missing().length === 0) return;
  alone(database, () => {
    for (const { table, column, type } of missing()) database.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
  });
}

function hasColumn(database: DatabaseSync, table: string, column: string): boolean {
  return database.prepare("SELECT 1 FROM pragma_table_info(?) WHERE name = ?").get(table, column) !== undefined;
}

/** Another process may have done the same meanwhile: `change` looks again. */
function alone(database: DatabaseSync, change: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    change();
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}
