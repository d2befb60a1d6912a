import { execFile, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { beforeEach, describe, expect, type TestContext, test } from "vitest";
import { rebuildDatabase } from "../../src/adapters/sqlite/rebuild.ts";
import { RaglineError } from "../../src/errors.ts";
import { call, SCOPE, sleep } from "../support/calls.ts";
import { answersOf, documentOf, openIndex, passagesOf, textsOf, token } from "../support/durability/documents.ts";
import { folderForTest } from "../support/folder.ts";
import { mountSmallDisk } from "../support/small-disk.ts";

const FILLING = new URL("../support/durability/filling-child.ts", import.meta.url).pathname;
const REBUILD = new URL("../../src/adapters/sqlite/rebuild.ts", import.meta.url).href;
const isRoot = process.getuid?.() === 0;
let folder: ReturnType<typeof folderForTest>;
let file: string;

beforeEach(() => {
  folder = folderForTest();
  file = folder.file("ragline.db");
});

async function fill(documents: number, path = file): Promise<void> {
  const { index, close } = openIndex(path);
  const ids = Array.from({ length: documents }, (_, i) => `d-${i}`);
  await Promise.all(ids.map(async (id) => index.replace(SCOPE, documentOf(id, 1), await passagesOf(id, 1), call())));
  await close();
}

async function searched(path: string, id: string): Promise<number> {
  const { index, close } = openIndex(path);
  const { byText } = await index.search(SCOPE, { text: token(id), limit: 50 }, call());
  await close();
  return byText.length;
}

function refusalOf(open: () => unknown): RaglineError {
  try {
    open();
  } catch (error) {
    if (error instanceof RaglineError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

interface Filled {
  readonly acknowledged: readonly string[];
  readonly found: number;
  readonly message: string;
}

async function expectFull(run: () => string): Promise<void> {
  const filled = JSON.parse(run()) as Filled;
  expect(filled).toMatchObject({ code: "overloaded", status: 503, retryable: true });
  expect(filled.message).toMatch(/ragline\.db cannot grow: the disk is full.*free space/);
  expect(filled.acknowledged.length).toBeGreaterThan(5);
  expect(filled.found).toBe(textsOf("d-0", 1).length);
}

/** A file system of 1 MiB. */
function smallDisk(context: TestContext): string {
  const mount = folder.file("small");
  mountSmallDisk(context, mount, 1);
  return mount;
}

describe("a full disk", () => {
  test("a size limit: the write is refused, searches go on, nothing acknowledged is lost, and later writes succeed", async () => {
    let filled: Filled = { acknowledged: [], found: 0, message: "" };
    await expectFull(() => {
      const out = execFileSync("bash", ["-c", `ulimit -f 1000; exec "$0" "$1" "$2"`, process.execPath, FILLING, file]);
      filled = JSON.parse(out.toString()) as Filled;
      return out.toString();
    });
    const { index, database, close } = openIndex(file);
    for (const id of filled.acknowledged) {
      expect(await index.find(SCOPE, id, call())).toMatchObject({ passages: textsOf(id, 1).length });
    }
    await index.replace(SCOPE, documentOf("after", 1), await passagesOf("after", 1), call());
    expect(database.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
    await close();
  });

  test("a file system without space", async (context) => {
    const mount = smallDisk(context);
    await expectFull(() => execFileSync(process.execPath, [FILLING, `${mount}/ragline.db`]).toString());
  });

  test("a file that is opened there says so, and is no fault of the configuration; it opens once there is space", async (context) => {
    const mount = smallDisk(context);
    const [whole, none] = [`${mount}/ragline.db`, `${mount}/new.db`];
    await fill(2, whole);
    expect(() => writeFileSync(`${mount}/rest`, Buffer.alloc(2 ** 20))).toThrow("ENOSPC");
    for (const path of [whole, none]) {
      const { code, message } = refusalOf(() => openIndex(path));
      expect(code).toBe("overloaded");
      expect(message).toMatch(/\.db: cannot be opened: the disk is full.*Free space/);
    }
    const { code, message } = refusalOf(() => rebuildDatabase(whole));
    expect(code).toBe("overloaded");
    expect(message).toMatch(/\.db: cannot be rebuilt: the disk is full.*left as it is/);
    rmSync(`${mount}/rest`);
    expect(await searched(whole, "d-0")).toBe(textsOf("d-0", 1).length);
  });
});

test("another process that keeps the lock: overloaded, after the time that SQLite waits; searches go on", {
  timeout: 40_000,
}, async () => {
  await fill(2);
  const { index, close } = openIndex(file);
  await index.replace(SCOPE, documentOf("d-1", 2), await passagesOf("d-1", 2), call());
  const other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  const writing = index.replace(SCOPE, documentOf("new", 1), await passagesOf("new", 1), call());
  const refused = expect(writing).rejects.toMatchObject({
    code: "overloaded",
    message: expect.stringMatching(/locked.*another process/),
  });
  expect((await index.search(SCOPE, { text: token("d-0"), limit: 9 }, call())).byText).not.toEqual([]);
  await refused;
  other.exec("ROLLBACK");
  await index.replace(SCOPE, documentOf("new", 1), await passagesOf("new", 1), call());
  expect(await index.find(SCOPE, "new", call())).not.toBeNull();
  other.close();
  await close();
});

describe("a file that is deleted or replaced while it is in use", () => {
  test.each(["deleted", "replaced"])("%s: searches and writes say so, and nothing is acknowledged", async (how) => {
    await fill(3);
    await fill(1, folder.file("other.db"));
    const { index, close } = openIndex(file);
    await index.replace(SCOPE, documentOf("x", 1), await passagesOf("x", 1), call());
    if (how === "deleted") rmSync(file);
    else renameSync(folder.file("other.db"), file);
    const gone = {
      code: "dependency_failed",
      retryable: false,
      message: expect.stringMatching(/ragline\.db was .*while it was in use/),
    };
    await expect(index.replace(SCOPE, documentOf("y", 1), await passagesOf("y", 1), call())).rejects.toMatchObject(
      gone,
    );
    await sleep(110);
    await expect(index.search(SCOPE, { text: token("x"), limit: 9 }, call())).rejects.toMatchObject(gone);
    await close();
  });

  test("deleted before the first write: no new, empty file takes its place", async () => {
    await fill(1);
    const { index, close } = openIndex(file);
    for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
    await expect(index.replace(SCOPE, documentOf("y", 1), [], call())).rejects.toMatchObject({
      code: "dependency_failed",
    });
    expect(readdirSync(folder.path)).not.toContain("ragline.db");
    await close();
  });
});

describe("a damaged file", () => {
  test("cut in half: refused with what to do; --rebuild keeps every document that is whole, and names the others", async () => {
    await fill(200);
    truncateSync(file, Math.floor(statSync(file).size / 2 / 4096) * 4096);
    const before = readFileSync(file);
    const error = refusalOf(() => openIndex(file));
    expect(error).toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/ragline\.db: is damaged.*ragline index --rebuild/),
    });
    expect(readFileSync(file).equals(before)).toBe(true);
    const report = rebuildDatabase(file);
    expect(report.documents).toBeGreaterThan(20);
    expect(report.documents + report.incomplete.length).toBeLessThan(200);
    expect(report.unreadable).toBeGreaterThan(0);
    expect(
      readFileSync(folder.file(report.kept ?? ""))
        .subarray(100)
        .equals(before.subarray(100)),
    ).toBe(true);
    const { index, database, close } = openIndex(file);
    const { documents } = await index.list(SCOPE, { limit: 1000 }, call());
    expect(documents).toHaveLength(report.documents);
    for (const { id } of documents) {
      const { byText } = await index.search(SCOPE, { text: token(id), limit: 50 }, call());
      expect(byText.map(({ passage }) => passage.text).toSorted(), id).toEqual(textsOf(id, 1).toSorted());
    }
    expect(database.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
    await close();
  });

  test("a page overwritten while it is served: an error that says so, no wrong answer; --rebuild saves the rest", async () => {
    await fill(60);
    const settled = new DatabaseSync(file);
    settled.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    settled.close();
    const { index, close } = openIndex(file);
    // Where a page lies depends on which commits went together: this one holds a passage of d-30.
    const bytes = readFileSync(file);
    const page = Math.floor(bytes.indexOf(textsOf("d-30", 1)[0] ?? "") / 4096);
    expect(page).toBeGreaterThan(0);
    bytes.fill(0x55, page * 4096, (page + 1) * 4096);
    writeFileSync(file, bytes);
    await expect(index.search(SCOPE, { text: token("d-30"), limit: 9 }, call())).rejects.toMatchObject({
      code: "dependency_failed",
      message: expect.stringMatching(/ragline\.db is damaged/),
    });
    await close();
    const report = rebuildDatabase(file);
    expect(report.kept).not.toBeNull();
    expect(report.incomplete).toContain("d-30");
    expect(report.documents).toBeGreaterThan(20);
    expect(report.documents + report.incomplete.length).toBe(60);
    const whole = Array.from({ length: 60 }, (_, i) => `d-${i}`).filter((id) => !report.incomplete.includes(id));
    for (const id of whole.slice(0, 5)) expect(await searched(file, id)).toBe(textsOf(id, 1).length);
  });

  test("garbage: refused, and --rebuild leaves it as it is", () => {
    writeFileSync(file, Buffer.alloc(50_000, "쓰레기"));
    const before = readFileSync(file);
    expect(refusalOf(() => openIndex(file))).toMatchObject({ code: "config_invalid" });
    expect(refusalOf(() => rebuildDatabase(file)).message).toMatch(/nothing can be read of it.*index again/);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(folder.path).filter((name) => name.includes("rebuilding"))).toEqual([]);
  });

  test("nothing wrong with it: rebuilt in place, the same answers, nothing kept beside it", async () => {
    await fill(20);
    const before = openIndex(file);
    const answers = await answersOf(before.index, 20);
    expect(refusalOf(() => rebuildDatabase(file)).message).toMatch(/in use by another process/);
    await before.close();
    expect(rebuildDatabase(file)).toMatchObject({ documents: 20, incomplete: [], unreadable: 0, kept: null });
    const after = openIndex(file);
    expect(await answersOf(after.index, 20)).toEqual(answers);
    await after.close();
    expect(readdirSync(folder.path)).toEqual(["ragline.db"]);
  });

  test("it stays whose it was, and for the same readers", async () => {
    await fill(2);
    chmodSync(file, 0o640);
    if (isRoot) chownSync(file, 65_534, 65_534);
    const { mode, uid, gid } = statSync(file);
    rebuildDatabase(file);
    expect(statSync(file)).toMatchObject({ mode, uid, gid });
  });

  test("no permission: refused, and no advice to move it away", async () => {
    await fill(2);
    chmodSync(folder.path, 0o777);
    if (isRoot) chmodSync(file, 0o644);
    else chmodSync(file, 0o444);
    const script = `import(${JSON.stringify(REBUILD)}).then(({ rebuildDatabase }) => rebuildDatabase(${JSON.stringify(file)}))
      .catch(({ message }) => console.log(message))`;
    const run = promisify(execFile)(process.execPath, ["-e", script], { cwd: "/", ...(isRoot && { uid: 65_534 }) });
    expect((await run).stdout).toMatch(/ragline\.db: no permission to read and write it\n$/);
  });
});

describe("a file of another version", () => {
  test.each([
    [1, /older Ragline \(it has version 1, this Ragline reads 3\).*--rebuild/],
    [99, /newer Ragline \(it has version 99, this Ragline reads 3\).*use that one/],
  ])("%i is refused, saying what to do", async (version, message) => {
    await fill(2);
    const raw = new DatabaseSync(file);
    raw.exec(`PRAGMA user_version = ${version}`);
    raw.close();
    expect(refusalOf(() => openIndex(file))).toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(message),
    });
  });

  test("an older one is taken over by --rebuild", async () => {
    await fill(5);
    const raw = new DatabaseSync(file);
    raw.exec("DROP TABLE shadows; DROP TABLE shadow_vectors; PRAGMA user_version = 1");
    raw.close();
    expect(rebuildDatabase(file)).toMatchObject({ documents: 5, incomplete: [] });
    expect(await searched(file, "d-3")).toBe(textsOf("d-3", 1).length);
  });
});

test("a copy without its log, as a careless backup makes it, opens or is refused, and never answers by half", async () => {
  const { index, close } = openIndex(file);
  for (let i = 0; i < 10; i++)
    await index.replace(SCOPE, documentOf(`d-${i}`, 1), await passagesOf(`d-${i}`, 1), call());
  cpSync(file, folder.file("copy.db"));
  await close();
  try {
    const count = await searched(folder.file("copy.db"), "d-3");
    expect([0, textsOf("d-3", 1).length]).toContain(count);
  } catch (error) {
    expect(error).toMatchObject({ code: "config_invalid" });
  }
});

test("another process sees a replaced document within 200 ms of its acknowledgement", { timeout: 30_000 }, async () => {
  await fill(1);
  const { index, close } = openIndex(file);
  const watching = new URL("../support/durability/watching-child.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [watching, file, "d-0"], { stdio: ["ignore", "pipe", "inherit"] });
  const seenAt = new Map<number, number>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.trim().split("\n")) {
      const [version, at] = line.split(" ").map(Number);
      if (version !== undefined && at !== undefined) seenAt.set(version, at);
    }
  });
  const delays: number[] = [];
  while (!seenAt.has(1)) await sleep(5);
  for (let version = 2; version < 32; version++) {
    await index.replace(SCOPE, documentOf("d-0", version), await passagesOf("d-0", version), call());
    const acknowledgedAt = performance.timeOrigin + performance.now();
    const { byText } = await index.search(SCOPE, { text: token("d-0"), limit: 50 }, call());
    expect(byText.map(({ passage }) => passage.text).toSorted()).toEqual(textsOf("d-0", version).toSorted());
    while (!seenAt.has(version)) await sleep(1);
    delays.push((seenAt.get(version) ?? Number.POSITIVE_INFINITY) - acknowledgedAt);
  }
  child.kill();
  await close();
  expect(delays.toSorted((a, b) => a - b)[15]).toBeLessThan(50);
  expect(Math.max(...delays)).toBeLessThan(200);
});
