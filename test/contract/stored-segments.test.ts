import { readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { rebuildDatabase } from "../../src/adapters/sqlite/rebuild.ts";

const scope = { tenant: "t", collection: "c", groups: [] };
const opened = (file: string) => {
  const database = Database.open(file);
  const index = new SqlitePassageIndex(database, { model: "m", dimensions: 8 });
  const close = async () => {
    await index.close();
    await database.close();
  };
  return { index, close, database };
};
const vector = (n: number) => Float32Array.from({ length: 8 }, (_, d) => Math.sin((n % 997) * (d + 1)) / 3);

async function write(index: SqlitePassageIndex, document: number, version: number): Promise<void> {
  const passages = Array.from({ length: 100 }, (_, i) => ({
    ...{ text: `휴가 규정 ${i % 17} v${version} leave${document}`, headings: [], tokens: 9 },
    vector: vector(document * 100 + i + version),
  }));
  const about = { id: `d${document}`, title: "", hash: "", metadata: { document }, groups: [] };
  await index.replace(scope, about, passages);
}
const ask = (index: SqlitePassageIndex, n: number) =>
  index.search(scope, { text: `휴가 ${n} leave${n}`, vector: vector(n), limit: 20 });

test("a start from stored segments answers as one from the texts, also where they are outdated or cut", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ragline-stored-"));
  const file = join(folder, "a.db");
  try {
    const first = opened(file);
    for (let document = 0; document < 60; document++) await write(first.index, document, 0);
    await ask(first.index, 1);
    const database = new DatabaseSync(file, { timeout: 10_000 });
    const isStored = () =>
      database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'segments'").get() !== undefined &&
      database.prepare("SELECT 1 FROM segments").get() !== undefined;
    await expect.poll(isStored, { timeout: 10_000 }).toBe(true);
    await first.close();

    // Changes that no stored segment knows of.
    const second = opened(file);
    for (let document = 0; document < 5; document++) await write(second.index, document, 1);
    await second.index.delete(scope, "d7");
    await second.close();

    const answers = async () => {
      const { index, close } = opened(file);
      const found = [];
      for (let n = 0; n < 40; n++) found.push(await ask(index, n));
      await close();
      return found;
    };
    const restored = await answers();
    database.exec("DELETE FROM segment_parts WHERE part = 2");
    const afterCut = await answers();
    database.exec("DELETE FROM segments");
    const fromTexts = await answers();
    expect(restored).toEqual(fromTexts);
    expect(afterCut).toEqual(fromTexts);
    database.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("settling stores the small segments too, where a store is under way that passes over them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ragline-stored-"));
  const file = join(folder, "a.db");
  try {
    const { index, close, database } = opened(file);
    const written = database.write.bind(database);
    const [begun, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    vi.spyOn(database, "write").mockImplementation(async (statements) => {
      if (statements.some(({ sql }) => sql.startsWith("INSERT INTO segment_parts"))) {
        begun.resolve();
        await goesOn.promise;
      }
      return written(statements);
    });
    for (let document = 0; document < 30; document++) await write(index, document, 0);
    await index.warm(scope);
    await begun.promise;
    // Few enough to stay a segment of their own, which only settling stores.
    for (let document = 30; document < 33; document++) await write(index, document, 0);
    const settling = index.settle(scope);
    goesOn.resolve();
    await settling;
    await close();
    const reader = new DatabaseSync(file);
    const { latest } = reader.prepare("SELECT max(seq) AS latest FROM changes").get() ?? {};
    expect(reader.prepare("SELECT max(as_of) AS stored FROM segments").get()?.stored).toBe(latest);
    reader.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a collection without documents keeps no segments, whether or not anybody searches it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ragline-stored-"));
  const file = join(folder, "a.db");
  try {
    const first = opened(file);
    for (let document = 0; document < 30; document++) await write(first.index, document, 0);
    await first.index.settle(scope);
    await first.close();
    const { index, close } = opened(file);
    const reader = new DatabaseSync(file, { timeout: 10_000 });
    const count = (table: string) => reader.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n;
    expect(count("segments")).toBe(1);
    for (let document = 0; document < 30; document++) await index.delete(scope, `d${document}`);
    await close();
    expect([count("segments"), count("segment_parts")]).toEqual([0, 0]);
    reader.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("words of a deleted document stay in stored segments until the file is made anew, which takes emptied collections too", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ragline-stored-"));
  const file = join(folder, "a.db");
  try {
    const { index, close } = opened(file);
    for (let document = 0; document < 30; document++) await write(index, document, 0);
    await index.settle(scope);
    await index.delete(scope, "d7");
    const left = { id: "d", title: "", hash: "", metadata: {}, groups: [] };
    const gone = { ...scope, collection: "leftcollection" };
    await index.replace(gone, left, []);
    await index.delete(gone, "d");
    await close();
    const holds = (word: string) => readFileSync(file).includes(word);
    expect([holds("leave7"), holds("leave8"), holds("leftcollection")]).toEqual([true, true, true]);
    expect(rebuildDatabase(file)).toMatchObject({ documents: 29, kept: null });
    expect([holds("leave7"), holds("leave8"), holds("leftcollection")]).toEqual([false, true, false]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
