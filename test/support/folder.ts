import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of its own for a test file's data; `remove` it at the end. */
export function temporaryFolder(): { readonly path: string; file(name: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "ragline-test-"));
  return {
    path,
    file: (name) => join(path, name),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A folder that goes when the running test ends. */
export function folderForTest(): ReturnType<typeof temporaryFolder> {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  return folder;
}
