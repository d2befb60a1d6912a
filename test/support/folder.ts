import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface Folder {
  readonly path: string;
  file(name: string): string;
  remove(): void;
}

/** A folder of its own for a test file's data; `remove` it at the end. */
export function temporaryFolder(): Folder {
  return keptIn(mkdtempSync(join(tmpdir(), "ragline-test-")));
}

export function keptIn(path: string): Folder {
  return {
    path,
    file: (name) => join(path, name),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A folder that goes when the running test ends. */
export function folderForTest(): Folder {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  return folder;
}
