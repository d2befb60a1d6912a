import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach } from "vitest";

/** A folder of its own for every test of the file that calls this. */
export function folderForEachTest() {
  let path = "";
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), "ragline-ingest-"));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));
  return {
    path: () => path,
    /** Writes a file below the folder, and gives its whole path. */
    async write(name: string, content: string | Uint8Array): Promise<string> {
      const full = join(path, name);
      await mkdir(dirname(full), { recursive: true });
      await writeFile(full, content);
      return full;
    },
  };
}
