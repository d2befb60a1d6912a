import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RaglineError } from "../../errors.ts";
import { sum } from "../../statistics.ts";
import { isFull, toSqliteFailure } from "./failure.ts";
import { DamagedFile } from "./salvage.ts";
import { SCHEMA, SCHEMA_VERSION } from "./schema.ts";

export interface RebuildReport {
  readonly documents: number;
  readonly passages: number;
  readonly sessions: number;
  /** Ids of documents that were there in part only, and are left out. */
  readonly incomplete: readonly string[];
  /** Conversations of which turns are missing, left out. */
  readonly incompleteSessions: number;
  /** Row ids at which the file could not be read: each may have been a row. */
  readonly unreadable: number;
  /** Where the file as it was is kept; null where nothing was wrong with it. */
  readonly kept: string | null;
}

/** What cannot be derived from anything else. The answer cache is not taken over, nor anything that searches are answered from. */
const RECORDS = ["collections", "documents", "passages", "sessions", "turns"] as const;
/** Records that files of older versions do not have. */
const LATER_RECORDS = ["pending_turns", "turn_vectors"] as const;

const IS_WHOLE = `(SELECT count(*) FROM passages p WHERE p.document = d.row) = d.passages
  AND coalesce((SELECT max(p.ordinal) FROM passages p WHERE p.document = d.row), -1) = d.passages - 1
  AND EXISTS (SELECT 1 FROM collections c WHERE c.row = d.collection) AND json_valid(d.metadata) AND json_valid(d.groups)`;
const IS_WHOLE_SESSION = `(SELECT count(*) FROM turns t WHERE t.session = s.row) = s.turn_count
  AND json_valid(coalesce(s.groups, '[]'))`;
const DROP_INCOMPLETE = `
DELETE FROM documents AS d WHERE NOT (${IS_WHOLE});
DELETE FROM passages WHERE document NOT IN (SELECT row FROM documents);
DELETE FROM collections WHERE row NOT IN (SELECT collection FROM documents);
DELETE FROM sessions AS s WHERE NOT (${IS_WHOLE_SESSION});
${["turns", ...LATER_RECORDS].map((table) => `DELETE FROM ${table} WHERE session NOT IN (SELECT row FROM sessions);`).join("\n")}
INSERT INTO changes (collection, document) SELECT collection, row FROM documents ORDER BY row;`;

/**
 * Makes the file anew from what it records: documents with their passages and vectors, and conversations, each whole or not
 * at all. Also for a file that is damaged, or of an older version; a damaged one is kept beside it. `isDerived`: it holds nothing but cached
 * answers, and one of which nothing can be read is put aside for an empty one.
 * @throws RaglineError `config_invalid`: there is no such file, it is in use, is not Ragline's, or nothing can be read of it;
 * `overloaded`: the disk has no space for another one.
 */
export function rebuildDatabase(
  path: string,
  { isDerived = false }: { readonly isDerived?: boolean } = {},
): RebuildReport {
  const file = resolve(path);
  if (!existsSync(file)) throw invalid(path, "does not exist; index without --rebuild");
  if (!statSync(file).isFile()) throw invalid(path, "is not a regular file; name a database file");
  checkPermitted(path, file);
  const made = `${file}.rebuilding`;
  for (const name of [made, `${made}-wal`, `${made}-shm`]) rmSync(name, { force: true });
  try {
    closeSync(openSync(made, "wx", 0o600));
    const source = openSource(path, file, isDerived);
    const wasHealthy = source?.isHealthy() ?? false;
    const report = copyRecords(path, source, made);
    source?.close();
    const isLoss = report.incomplete.length > 0 || report.incompleteSessions > 0 || report.unreadable > 0;
    const kept = wasHealthy && !isLoss ? null : `${file}.damaged-${new Date().toISOString().replaceAll(":", "")}`;
    permitAs(file, made);
    putInPlace(file, made, kept);
    return { ...report, kept: kept && basename(kept) };
  } catch (thrown) {
    for (const name of [made, `${made}-wal`, `${made}-shm`]) rmSync(name, { force: true });
    if (thrown instanceof RaglineError) throw thrown;
    throw notRebuilt(path, thrown);
  }
}

function checkPermitted(path: string, file: string): void {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw invalid(path, "no permission to read and write it", cause);
  }
}

/** It holds conversations: whoever may read and write the old file, such as a service of another user, may so the new one. */
function permitAs(file: string, made: string): void {
  const { mode, uid, gid } = statSync(file);
  try {
    chownSync(made, uid, gid);
  } catch {
    // Only root may give files away.
  }
  chmodSync(made, mode & 0o777);
}

/** Null: nothing can be read of it, which costs nothing where it `isDerived`. */
function openSource(path: string, file: string, isDerived: boolean): DamagedFile | null {
  let source: DamagedFile | undefined;
  try {
    source = new DamagedFile(file, statSync(file).size);
    const tables = RECORDS.filter((table) => source?.columns(table).length !== 0);
    if (tables.length < RECORDS.length) throw invalid(path, "is not a Ragline database; it is left as it is");
    source.takeOver();
    return source;
  } catch (thrown) {
    if (source && /locked/.test(toSqliteFailure(thrown).message)) {
      source.close();
      throw invalid(path, "is in use by another process: stop it first", thrown);
    }
    // Damage beyond which the log cannot be taken over is no reason to read nothing.
    if (source && !(thrown instanceof RaglineError) && hasColumns(source)) return source;
    source?.close();
    if (thrown instanceof RaglineError) throw thrown;
    if (isFull(toSqliteFailure(thrown))) throw notRebuilt(path, thrown);
    if (isDerived) return null;
    const reason = "nothing can be read of it: it is not a database, or its first pages are lost";
    throw invalid(
      path,
      `${reason}. It is left as it is; move it away, and index again where it held documents`,
      thrown,
    );
  }
}

function hasColumns(source: DamagedFile): boolean {
  try {
    return source.columns("documents").length > 0;
  } catch {
    return false;
  }
}

function copyRecords(path: string, source: DamagedFile | null, made: string): Omit<RebuildReport, "kept"> {
  const target = new DatabaseSync(made);
  try {
    target.exec(
      "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON",
    );
    target.exec(`BEGIN; ${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`);
    if (source) copyTables(path, source, target);
    const list = (sql: string) =>
      target
        .prepare(sql)
        .all()
        .map(({ value }) => String(value));
    const count = (sql: string) => Number(target.prepare(`SELECT count(*) AS n FROM ${sql}`).get()?.n);
    const incomplete = list(`SELECT id AS value FROM documents d WHERE NOT (${IS_WHOLE}) ORDER BY id`);
    const incompleteSessions = count(`sessions s WHERE NOT (${IS_WHOLE_SESSION})`);
    target.exec(`${DROP_INCOMPLETE} COMMIT`);
    const kept = { documents: count("documents"), passages: count("passages"), sessions: count("sessions") };
    const unreadable = sum([...(source?.unreadable.values() ?? [])]);
    return { ...kept, incomplete, incompleteSessions, unreadable };
  } finally {
    target.close();
  }
}

function copyTables(path: string, source: DamagedFile, target: DatabaseSync): void {
  for (const table of RECORDS) copyTable(path, source, target, table);
  for (const table of LATER_RECORDS) if (source.columns(table).length > 0) copyTable(path, source, target, table);
}

function copyTable(path: string, source: DamagedFile, target: DatabaseSync, table: string): void {
  const known = target
    .prepare(`SELECT name FROM pragma_table_info('${table}')`)
    .all()
    .map(({ name }) => String(name));
  const columns = source.columns(table).filter((name) => known.includes(name));
  const places = columns.map(() => "?").join(", ");
  const insert = target.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.map((c) => `"${c}"`).join(", ")}) VALUES (${places})`,
  );
  try {
    for (const row of source.rows(table, columns)) insert.run(...columns.map((name) => row[name] ?? null));
  } catch (thrown) {
    throw notRebuilt(path, thrown, `table ${table}: `);
  }
}

/** At no moment is the path without a file. A log that belongs to the old file must not lie beside the new one. */
function putInPlace(file: string, made: string, kept: string | null): void {
  if (kept) {
    try {
      linkSync(file, kept);
    } catch {
      copyFileSync(file, kept);
    }
  }
  for (const suffix of ["-wal", "-shm"]) {
    if (!existsSync(file + suffix)) continue;
    if (kept) renameSync(file + suffix, kept + suffix);
    else rmSync(file + suffix);
  }
  renameSync(made, file);
  const folder = openSync(dirname(file), "r");
  fsyncSync(folder);
  closeSync(folder);
}

function notRebuilt(path: string, thrown: unknown, where = ""): RaglineError {
  const failure = toSqliteFailure(thrown);
  const isWithoutSpace = isFull(failure) || (thrown as NodeJS.ErrnoException).code === "ENOSPC";
  if (!isWithoutSpace)
    return invalid(path, `cannot be rebuilt: ${where}${failure.message}. It is left as it is`, thrown);
  const full = "cannot be rebuilt: the disk is full, or a size limit is reached";
  const message = `${path}: ${full}. It is left as it is; free as much space as it takes and try again`;
  return new RaglineError("overloaded", message, { cause: thrown });
}

function invalid(path: string, reason: string, cause?: unknown): RaglineError {
  return new RaglineError("config_invalid", `${path}: ${reason}`, cause === undefined ? {} : { cause });
}
