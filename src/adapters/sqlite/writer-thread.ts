import type { DatabaseSync, StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { RaglineError } from "../../errors.ts";
import { connect, Prepared, rollBack, WAIT_MS } from "./connect.ts";
import { type SqliteFailure, toSqliteFailure } from "./failure.ts";
import { checkStillThere } from "./opened-file.ts";
import { PRAGMAS } from "./pragmas.ts";
import type { Reply, WriteBatch, WriteRequest, WriterData } from "./writer.ts";

/**
 * The thread that owns all writing to one file. Transactions that arrive while a commit waits for the disk are committed
 * together: one fsync for all of them. Each keeps its own savepoint, so that one that fails takes nobody with it. Nothing is
 * acknowledged once the path names another file.
 */
const port = parentPort;
if (!port) throw new Error("writer-thread.ts runs as a worker");

/** After so long without a write the log is emptied into the file: both hold what was deleted until then. */
const IDLE_MS = 2000;
/** However much is written. */
const EMPTIED_EVERY_MS = 60_000;

const { file, identity } = workerData as WriterData;
/** SQL texts by number, and their statements. */
const texts: string[] = [];
const prepared: Prepared[] = [];
const own = new Map<string, StatementSync>();
let opened: DatabaseSync | null = null;
let waiting: WriteRequest[] = [];
let idle: NodeJS.Timeout | null = null;
/** The first write since the log was emptied. */
let writtenAt: number | null = null;

port.on("message", ({ added, requests }: WriteBatch) => {
  texts.push(...added);
  if (waiting.length === 0) setImmediate(commit);
  waiting.push(...requests);
});

function commit(): void {
  const requests = waiting;
  waiting = [];
  const replies: Reply[] = [];
  try {
    statement("BEGIN IMMEDIATE").run();
    for (const request of requests) replies.push(run(request));
    statement("COMMIT").run();
    checkStillThere(file, identity);
  } catch (error) {
    if (opened) rollBack(opened);
    replies.length = 0;
    for (const { id } of requests) replies.push({ id, error: failure(error) });
  }
  port?.postMessage(replies);
  const now = performance.now();
  writtenAt ??= now;
  idle ??= setTimeout(emptyLog, IDLE_MS);
  if (now - writtenAt < EMPTIED_EVERY_MS) idle.refresh();
}

/** While somebody reads what is in it, it is tried again. */
function emptyLog(): void {
  try {
    checkStillThere(file, identity);
    database().exec("PRAGMA busy_timeout = 0");
    const { busy } = statement("PRAGMA wal_checkpoint(TRUNCATE)").get() ?? {};
    if (busy === 1) idle?.refresh();
    else writtenAt = null;
  } catch {
    // Whoever writes next is told what is wrong with the file.
  } finally {
    opened?.exec(`PRAGMA busy_timeout = ${WAIT_MS}`);
  }
}

function run({ id, statements, query }: WriteRequest): Reply {
  statement("SAVEPOINT one").run();
  try {
    const changes = runAll(statements);
    const rows = changes && query ? numbered(query.sql).all(query.values) : null;
    statement("RELEASE one").run();
    return { id, changes, ...(rows && { rows }) };
  } catch (error) {
    try {
      database().exec("ROLLBACK TO one; RELEASE one");
    } catch {
      // A full disk has undone the whole transaction already, and no savepoint is left.
      throw error;
    }
    return { id, error: failure(error) };
  }
}

/** Rows changed by each statement; null: a guard found no row, and nothing is written. */
function runAll(statements: WriteRequest["statements"]): number[] | null {
  const changes: number[] = [];
  for (const { sql, values, guard } of statements) {
    if (!guard) {
      changes.push(numbered(sql).run(values));
    } else if (numbered(sql).get(values) === undefined) {
      database().exec("ROLLBACK TO one");
      return null;
    }
  }
  return changes;
}

function numbered(number: number): Prepared {
  let found = prepared[number];
  if (!found) {
    found = new Prepared(database(), texts[number] ?? "");
    prepared[number] = found;
  }
  return found;
}

function statement(sql: string): StatementSync {
  let found = own.get(sql);
  if (!found) {
    found = database().prepare(sql);
    own.set(sql, found);
  }
  return found;
}

function database(): DatabaseSync {
  if (!opened) {
    // Opening would make an empty file where the one that is served has gone.
    checkStillThere(file, identity);
    const database = connect(file);
    database.exec(PRAGMAS);
    opened = database;
  }
  return opened;
}

function failure(error: unknown): SqliteFailure & { readonly missing?: true } {
  if (error instanceof RaglineError) return { message: error.message, missing: true };
  return toSqliteFailure(error);
}
