import { closeSync, cpSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { folderForTest, temporaryFolder } from "../support/folder.ts";
import { ragline } from "./run.ts";

const filled = temporaryFolder();
let folder: ReturnType<typeof folderForTest>;
const run = (...args: string[]) => ragline(folder.path, ...args);

beforeAll(async () => {
  const files = "search: { file: s.db }\nsession: { file: c.db }\ncache: { file: a.db }\n";
  writeFileSync(filled.file("ragline.yaml"), `${files}embed: { use: hashing }\n`);
  writeFileSync(filled.file("a.md"), "주차장은 지하 이층에 있다.");
  await ragline(filled.path, "index", "a.md");
  await ragline(filled.path, "ask", "--session", "s", "주차장은 어디에 있나?");
});
afterAll(() => filled.remove());
beforeEach(() => {
  folder = folderForTest();
  cpSync(filled.path, folder.path, { recursive: true });
});

function makeOlder(name: string): void {
  const raw = new DatabaseSync(folder.file(name));
  raw.exec("PRAGMA user_version = 1");
  raw.close();
}

function overwrite(name: string, at: number): void {
  const file = openSync(folder.file(name), "r+");
  writeSync(file, Buffer.alloc(4096, "쓰레기"), 0, 4096, at);
  closeSync(file);
}

describe("ragline index --rebuild", () => {
  test("makes every file anew that the configuration names: of older versions, with conversations", async () => {
    for (const name of ["s.db", "c.db", "a.db"]) makeOlder(name);
    expect((await run("ask", "주차장은?")).stderr).toMatch(/older Ragline.*--rebuild/);
    const { code, stdout, stderr } = await run("index", "--rebuild");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trim().split("\n")).toEqual([
      "s.db: rebuilt with 1 documents, 1 passages",
      "c.db: rebuilt with 1 conversations",
      "a.db: rebuilt with no cached answers",
    ]);
    expect((await run("ask", "--session", "s", "주차장은 어디에 있나?")).code).toBe(0);
  });

  test("of a cache of which nothing can be read, an empty one takes the place; the file is kept", async () => {
    overwrite("a.db", 0);
    expect(await run("ask", "주차장은?")).toMatchObject({ code: 2, stderr: expect.stringContaining("--rebuild") });
    const { code, stdout } = await run("index", "--rebuild");
    expect(code).toBe(0);
    expect(stdout).toMatch(/a\.db: rebuilt with no cached answers\nthe file as it was is kept as a\.db\.damaged-/);
    expect((await run("ask", "주차장은 어디에 있나?")).code).toBe(0);
    expect(readdirSync(folder.path).filter((name) => name.startsWith("a.db.damaged"))).toHaveLength(1);
  });

  test("a table whose pages lead in a circle is read once; conversations keep their groups", async () => {
    const raw = new DatabaseSync(folder.file("c.db"));
    raw.exec(`PRAGMA wal_checkpoint(TRUNCATE); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
      INSERT INTO sessions (tenant, collection, id, version, groups) SELECT 'default', 'default', 'hr-' || i, i, '["hr"]' FROM n`);
    const { rootpage } = raw.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'sessions'").get() ?? {};
    raw.exec("PRAGMA journal_mode = DELETE");
    raw.close();
    const [root, bytes] = [Number(rootpage), readFileSync(folder.file("c.db"))];
    const start = (root - 1) * 4096;
    // An interior page whose last cell but one leads back to the first, before one that is lost.
    const cell = (i: number) => start + bytes.readUInt16BE(start + 12 + 2 * i);
    expect([bytes[start], bytes.readUInt16BE(start + 3)]).toEqual([5, 3]);
    bytes.copyWithin(cell(2), cell(0), cell(0) + 4);
    bytes.fill("쓰레기", (bytes.readUInt32BE(start + 8) - 1) * 4096, bytes.readUInt32BE(start + 8) * 4096);
    writeFileSync(folder.file("c.db"), bytes);
    const { code, stdout } = await run("index", "--rebuild");
    expect(code).toBe(1);
    const [, conversations] = /c\.db: rebuilt with (\d+) conversations/.exec(stdout) ?? [];
    const rebuilt = new DatabaseSync(folder.file("c.db"));
    const kept = rebuilt.prepare("SELECT count(*) AS n FROM sessions WHERE groups = '[\"hr\"]'").get();
    rebuilt.close();
    expect(Number(kept?.n)).toBeGreaterThan(100);
    expect(Number(conversations)).toBe(Number(kept?.n) + 1);
  });

  test("one file that cannot be rebuilt, as nothing can be read of it, holds up no other, and stays", async () => {
    overwrite("s.db", 0);
    makeOlder("c.db");
    const { code, stdout, stderr } = await run("index", "--rebuild");
    expect(code).toBe(2);
    expect(stderr).toMatch(/s\.db: nothing can be read of it/);
    expect(stdout).toContain("c.db: rebuilt with 1 conversations");
    expect(readdirSync(folder.path)).toContain("s.db");
  });

  test("conversations have a file of their own where the index is on a server; sources are not the matter then", async () => {
    writeFileSync(
      folder.file("ragline.yaml"),
      'search: { use: opensearch, url: "http://127.0.0.1:9" }\nsession: { use: sqlite, file: c.db }\ncache: { use: none }\n',
    );
    const raw = new DatabaseSync(folder.file("c.db"));
    raw.exec("DELETE FROM turns");
    raw.close();
    const { code, stdout, stderr } = await run("index", "--rebuild");
    expect(code).toBe(1);
    expect(stdout).toContain("c.db: rebuilt with 0 conversations");
    expect(stderr).toMatch(/1 conversations miss turns/);
    expect(stderr).not.toContain("index your sources again");
  });

  test("without any file it is refused", async () => {
    for (const config of ["search: { use: opensearch }\nsession: { use: redis }\ncache: { use: none }\n", ""]) {
      const empty = folder.file("ragline.yaml");
      writeFileSync(empty, config || "search: { file: none.db }\nsession: { file: none.db }\ncache: { use: none }\n");
      const { code, stderr } = await run("index", "--rebuild");
      expect(code).toBe(2);
      expect(stderr).toMatch(config ? /no part of the configuration has a SQLite file/ : /none\.db: does not exist/);
    }
  });
});
