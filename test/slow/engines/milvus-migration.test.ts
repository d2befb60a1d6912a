import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ragline } from "../../cli/run.ts";
import { HOSTILE_IDS } from "../../contract/transfer.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { configuration, contentsOfFile, fill, openFile, write } from "../../support/migrating.ts";
import { type MilvusServer, milvus, startMilvus } from "../../support/milvus.ts";

describe.skipIf(milvus.missing !== null)(milvus.missing ?? "ragline migrate, through Milvus 2.3.5", () => {
  let server: MilvusServer | undefined;
  let folder: ReturnType<typeof temporaryFolder>;

  beforeAll(async () => {
    folder = temporaryFolder();
    server = await startMilvus();
    const searches = {
      a: { use: "sqlite", file: folder.file("a.db") },
      milvus: { use: "milvus", url: server.url, prefix: "moved", shards: 1 },
      back: { use: "sqlite", file: folder.file("back.db") },
    };
    for (const [name, search] of Object.entries(searches)) {
      await writeFile(folder.file(`${name}.yaml`), configuration(search));
    }
    const { index, close } = openFile(folder.file("a.db"));
    await fill(index, 150);
    for (const [i, id] of HOSTILE_IDS.entries()) await write(index, id, [5000 + i], { groups: ["인사", "g'\"\\,{}"] });
    await close();
  });
  afterAll(async () => {
    await server?.close();
    folder?.remove();
  });

  const moved = async (from: string, to: string, ...options: string[]) => {
    const { code, stdout, stderr } = await ragline(
      folder.path,
      ...["migrate", "--from", `${from}.yaml`, "--to", `${to}.yaml`, "--json", ...options],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining("ragline:") });
    const { collections } = JSON.parse(stdout);
    expect(collections).toMatchObject([{ problems: [], verification: { agreement: { questions: 200 } } }]);
    return collections[0];
  };

  test("sqlite, Milvus, sqlite: the same documents, times and answers", { timeout: 240_000 }, async () => {
    const source = await contentsOfFile(folder.file("a.db"));
    expect(source.length).toBe(150 + HOSTILE_IDS.length);
    for (const [from, to, ...options] of [
      ["a", "milvus"],
      ["milvus", "back", "--all"],
    ] as const) {
      const { copied, copiedPassages, copyingMs, verification } = await moved(from, to, ...options);
      const { overlap } = verification.agreement;
      console.info(`${from} -> ${to}: ${copiedPassages} passages in ${Math.round(copyingMs)} ms, overlap ${overlap}`);
      expect(copied).toBe(source.length);
      expect(overlap).toBeGreaterThanOrEqual(0.95);
    }
    expect(await contentsOfFile(folder.file("back.db"))).toEqual(source);
  });
});
