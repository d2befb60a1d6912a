import { statSync } from "node:fs";
import { basename } from "node:path";
import { RaglineError } from "../../errors.ts";

/** Which file a path named when it was opened. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
  /** For a file that is read as one that never changes: when it last did; else null. */
  readonly modifiedMs: number | null;
}

/** Null where there is no such file. */
export function identityOf(file: string, isFrozen = false): FileIdentity | null {
  const found = statSync(file, { throwIfNoEntry: false });
  return found ? { device: found.dev, inode: found.ino, modifiedMs: isFrozen ? found.mtimeMs : null } : null;
}

/**
 * An open file outlives its name: what is written to it after it was deleted is gone with the process.
 * @throws RaglineError `dependency_failed`: the path names no file any more, or another one.
 */
export function checkStillThere(file: string, opened: FileIdentity): void {
  const found = identityOf(file, opened.modifiedMs !== null);
  const isSame = found?.inode === opened.inode && found.device === opened.device;
  if (isSame && found.modifiedMs === opened.modifiedMs) return;
  const what = !found ? "deleted or moved" : isSame ? "changed" : "replaced by another file";
  throw new RaglineError(
    "dependency_failed",
    `${basename(file)} was ${what} while it was in use: put it back and restart Ragline, or restart and index again.`,
    { retryable: false },
  );
}
