import { basename } from "node:path";
import { RaglineError } from "../../errors.ts";

/** What is left of SQLite's error once it has crossed a thread. `errcode` is the extended result code. */
export interface SqliteFailure {
  readonly message: string;
  readonly errcode?: number;
}

/** SQLite's primary result codes, https://sqlite.org/rescode.html. */
const BUSY = 5;
const READONLY = 8;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
/** A write, or the growth of the shared memory, that the file system refused: a quota or a size limit. */
const IOERR_WRITE = 778;
const IOERR_SHMSIZE = 4874;

export const REBUILD_HINT =
  "stop what uses it and run `ragline index --rebuild`, which keeps what can still be read of documents and conversations, and makes cached answers anew";

/** Why a file could not be read or written, and what to do about it. Names the file without its folder: clients read it. */
export function sqliteError(file: string, doing: "read" | "written", failure: SqliteFailure): RaglineError {
  const name = basename(file);
  const cause = new Error(failure.message);
  const { errcode = 0 } = failure;
  if (isFull(failure)) {
    const message = `${name} cannot grow: the disk is full, or a size limit is reached. Nothing of this write is stored; free space and try again.`;
    return new RaglineError("overloaded", message, { cause });
  }
  switch (errcode & 0xff) {
    case BUSY:
      return new RaglineError(
        "overloaded",
        `${name} is locked: another process has been writing to it for too long. Nothing of this write is stored; try again.`,
        { cause },
      );
    case READONLY:
      return new RaglineError(
        "dependency_failed",
        `${name} is read-only: make the file and its folder writable for this user. Searches go on.`,
        { cause, retryable: false },
      );
    case CORRUPT:
    case NOTADB:
      return new RaglineError("dependency_failed", `${name} is damaged: ${REBUILD_HINT}.`, { cause, retryable: false });
    case CANTOPEN:
      return new RaglineError("dependency_failed", `${name} cannot be opened any more: is its folder still there?`, {
        cause,
      });
    default:
      return new RaglineError("dependency_failed", `The database could not be ${doing}.`, { cause });
  }
}

export function isDamage({ errcode = 0 }: SqliteFailure): boolean {
  return [CORRUPT, NOTADB].includes(errcode & 0xff);
}

export function toSqliteFailure(thrown: unknown): SqliteFailure {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const errcode = "errcode" in thrown && typeof thrown.errcode === "number" ? thrown.errcode : undefined;
  return { message: thrown.message, ...(errcode !== undefined && { errcode }) };
}

export function isFull({ errcode = 0 }: SqliteFailure): boolean {
  return (errcode & 0xff) === FULL || errcode === IOERR_WRITE || errcode === IOERR_SHMSIZE;
}
