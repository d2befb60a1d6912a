import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { LATER_COLUMNS } from "../../src/adapters/sqlite/schema.ts";
import { RaglineError } from "../../src/errors.ts";
import { createRagline } from "../../src/index.ts";
import { call, SCOPE, scope, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { append, turn } from "../support/sessions.ts";

const CHILD = new URL("../support/appending-child.ts", import.meta.url).pathname;
const LIMITS = { leaseMs: 60_000, pendingMax: 64 };
const isRoot = process.getuid?.() === 0;
let folder: ReturnType<typeof temporaryFolder>;

beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  chmodSync(folder.path, 0o755);
  folder.remove();
});

function refusal(path: string): RaglineError {
  try {
    void Database.open(path).close();
  } catch (error) {
    expect(error).toBeInstanceOf(RaglineError);
    return error as RaglineError;
  }
  throw new Error(`${path} was opened`);
}

/** A process that appends turns to the session until it is killed, and says each one that is acknowledged. */
function appending(file: string, sessionId: string) {
  const child = spawn(process.execPath, [CHILD, file, sessionId], { stdio: ["ignore", "pipe", "inherit"] });
  const acknowledged: string[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    acknowledged.push(...lines);
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return { acknowledged, kill: () => child.kill("SIGKILL"), closed };
}

describe("durability", () => {
  test("kill -9 in the middle of writes loses nothing that was acknowledged", { timeout: 120_000 }, async () => {
    const file = folder.file("killed.db");
    const promised = new Map<string, readonly string[]>();
    for (let round = 0; round < 20; round++) {
      const id = `round-${round}`;
      const child = appending(file, id);
      await until("the child writes", () => child.acknowledged.length > 3 + round, 20_000);
      child.kill();
      await child.closed;
      promised.set(id, child.acknowledged);
    }
    const database = Database.open(file);
    const store = createSqliteSessionStore(database, LIMITS);
    for (const [id, requestIds] of promised) {
      const session = await store.load(SCOPE, id, 10_000, call());
      const stored = session.turns.map(({ requestId }) => requestId);
      expect(requestIds.length).toBeGreaterThan(3);
      expect(stored).toEqual(expect.arrayContaining([...requestIds]));
      expect(session.turnCount).toBe(stored.length);
    }
    expect(database.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
    // Against power loss, which no test can make: 2 is FULL.
    expect(database.get("PRAGMA synchronous")).toEqual({ synchronous: 2 });
    expect(database.get("PRAGMA journal_mode")).toEqual({ journal_mode: "wal" });
    await database.close();
  });

  test("two processes that write the same session lose nothing and refuse nothing", { timeout: 60_000 }, async () => {
    const file = folder.file("shared.db");
    const children = [appending(file, "shared"), appending(file, "shared")];
    await until("both write", () => children.every(({ acknowledged }) => acknowledged.length > 50), 30_000);
    for (const child of children) child.kill();
    await Promise.all(children.map(({ closed }) => closed));
    const database = Database.open(file);
    const session = await createSqliteSessionStore(database, LIMITS).load(SCOPE, "shared", 100_000, call());
    const stored = new Set(session.turns.map(({ requestId }) => requestId));
    for (const requestId of children.flatMap(({ acknowledged }) => acknowledged)) expect(stored).toContain(requestId);
    expect(session.turnCount).toBe(stored.size);
    await database.close();
  });
});

describe("a file that cannot be used is refused as config_invalid, in one line that names it", () => {
  test("the folder is missing", () => {
    const error = refusal(folder.file("no/such/place.db"));
    expect(error.code).toBe("config_invalid");
    expect(error.message).toMatch(/no\/such.*does not exist/);
    expect(error.message).not.toContain("\n");
  });

  test("it is a folder", () => {
    mkdirSync(folder.file("directory.db"));
    expect(refusal(folder.file("directory.db"))).toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining("is a folder"),
    });
  });

  test("it is no database, and is left as it was", () => {
    const file = folder.file("notes.txt");
    const text = "회의록: this is no database, however long it may be. ".repeat(100);
    writeFileSync(file, text);
    const error = refusal(file);
    expect(error).toMatchObject({ code: "config_invalid", message: expect.stringContaining("notes.txt") });
    expect(error.message).not.toContain("\n");
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  test("it is somebody else's database, and is left as it was", () => {
    const file = folder.file("theirs.db");
    const theirs = new DatabaseSync(file);
    theirs.exec("CREATE TABLE customers (name TEXT); INSERT INTO customers VALUES ('김철수')");
    theirs.close();
    const before = readFileSync(file);
    expect(refusal(file)).toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/theirs\.db.*is not a Ragline database/),
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("it is of another version, and both versions are named", async () => {
    const file = folder.file("newer.db");
    await Database.open(file).close();
    const raw = new DatabaseSync(file);
    raw.exec("PRAGMA user_version = 97");
    raw.close();
    expect(refusal(file)).toMatchObject({ code: "config_invalid", message: expect.stringMatching(/97.*reads \d/) });
  });

  test.skipIf(isRoot)("no permission: a read-only file", async () => {
    const file = folder.file("readonly.db");
    await Database.open(file).close();
    chmodSync(file, 0o444);
    const database = Database.open(file);
    const writing = append(createSqliteSessionStore(database, LIMITS), "s", turn());
    await expect(writing).rejects.toMatchObject({ message: expect.stringContaining("readonly.db is read-only") });
    await database.close();
  });

  test.runIf(isRoot)(
    "no permission: a file in a read-only folder opens for reading, a new one not, as an ordinary user sees them",
    async () => {
      const closed = folder.file("closed");
      mkdirSync(closed);
      await Database.open(`${closed}/there.db`).close();
      chmodSync(`${closed}/there.db`, 0o444);
      chmodSync(closed, 0o555);
      chmodSync(folder.path, 0o755);
      const { code, stderr } = await asNobody(opening(`${closed}/new.db`));
      expect(code).toBe(1);
      expect(stderr).toMatch(/^config_invalid .*new.db: [^\n]*\n$/);
      expect(await asNobody(opening(`${closed}/there.db`))).toEqual({ code: 0, stdout: "", stderr: "" });
    },
  );

  test.each(["of today", "of before"])(
    "questions are answered from a read-only folder with a file %s, and it says that their turns are not stored",
    async (age) => {
      const closed = folder.file(`read-only ${age}`);
      const file = `${closed}/there.db`;
      mkdirSync(closed);
      const config = { session: { file }, cache: { file }, search: { file }, log: { level: "silent" } } as const;
      const ragline = await createRagline(config);
      await ragline.addDocument({ id: "leave", text: "Everyone has 15 days of annual leave." });
      await ragline.close();
      if (age === "of before") dropLaterColumns(file);
      chmodSync(file, 0o444);
      chmodSync(closed, 0o555);
      chmodSync(folder.path, 0o755);
      const { stdout, stderr } = await asNobody(`
      import { createRagline } from ${JSON.stringify(source("index.ts"))};
      const ragline = await createRagline(${JSON.stringify(config)});
      const { text, degraded } = await ragline.answer({ question: "How many days of annual leave?" });
      const listed = await ragline.listSessions({}, { user: "kim" });
      console.log(JSON.stringify({ text, degraded, listed, ready: await ragline.ready() }));
      process.exit(0);`);
      chmodSync(closed, 0o755);
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toMatchObject({
        text: expect.stringContaining("15 days"),
        listed: { sessions: [] },
        degraded: expect.arrayContaining([expect.objectContaining({ step: "save", fallback: "turn not stored" })]),
        ready: {
          ready: true,
          missing: [],
          degraded: [expect.stringMatching(/^save: there\.db is read-only: make .*, then restart Ragline\./)],
        },
      });
    },
  );
});

test("a file that lacks a column of today gets it, by whichever process opens it; its turns stay, and new ones keep their sources, how they ended and for whom they are", async () => {
  const file = folder.file("of-before.db");
  const before = Database.open(file);
  await append(createSqliteSessionStore(before, LIMITS), "s", turn());
  await before.close();
  dropLaterColumns(file);
  const both = [Database.open(file), Database.open(file)] as const;
  const sources = [{ n: 1, passageId: "a#0", documentId: "a", title: "A" }];
  await append(createSqliteSessionStore(both[0], LIMITS), "s", turn({ sources, finishReason: "length" }));
  const { turns } = await createSqliteSessionStore(both[1], LIMITS).load(SCOPE, "s", 10, call());
  expect(turns.map((turn) => turn.sources)).toEqual([undefined, sources]);
  expect(turns.map((turn) => turn.finishReason)).toEqual([undefined, "length"]);
  const hr = scope({ groups: ["hr"] });
  await append(createSqliteSessionStore(both[0], LIMITS), "s", turn(), hr);
  const other = createSqliteSessionStore(both[1], LIMITS);
  await expect(other.load(SCOPE, "s", 10, call())).rejects.toMatchObject({ code: "forbidden" });
  expect((await other.load(hr, "s", 10, call())).turnCount).toBe(3);
  for (const database of both) await database.close();
});

test("a writer that dies fails what waits for it; the next write starts another", async () => {
  const file = folder.file("worker.db");
  const database = Database.open(file);
  const store = createSqliteSessionStore(database, LIMITS);
  await append(store, "s", turn());
  const raw = new DatabaseSync(file);
  raw.exec("DROP TABLE turns");
  await expect(append(store, "s", turn())).rejects.toMatchObject({ code: "dependency_failed" });
  await expect(store.load(SCOPE, "s", 10, call())).rejects.toMatchObject({
    code: "dependency_failed",
    message: expect.not.stringContaining("turns"),
  });
  raw.close();
  await database.close();
});

test("closed, it neither reads nor writes any more", async () => {
  const database = Database.open(folder.file("closed.db"));
  const store = createSqliteSessionStore(database, LIMITS);
  await append(store, "s", turn());
  await database.close();
  const closed = { code: "cancelled", message: "closed.db was closed." };
  await expect((async () => store.load(SCOPE, "s", 10, call()))()).rejects.toMatchObject(closed);
  await expect(store.delete(SCOPE, "s", call())).rejects.toMatchObject(closed);
  const again = Database.open(folder.file("closed.db"));
  expect(await createSqliteSessionStore(again, LIMITS).load(SCOPE, "s", 10, call())).toMatchObject({ turnCount: 1 });
  await again.close();
});

test("sixteen writes at once, one of them impossible: the others are stored", async () => {
  const database = Database.open(folder.file("group.db"));
  const store = createSqliteSessionStore(database, LIMITS);
  const impossible = { ...turn(), question: null as unknown as string };
  const writes = Array.from({ length: 16 }, (_, i) => append(store, "s", i === 7 ? impossible : turn()));
  const results = await Promise.allSettled(writes);
  expect(results.map(({ status }) => status).filter((status) => status === "rejected")).toHaveLength(1);
  expect(await store.load(SCOPE, "s", 100, call())).toMatchObject({ turnCount: 15, totalTokens: 15 * 12 });
  await database.close();
});

/** A script that opens the file. */
function opening(file: string): string {
  return `
    import { Database } from ${JSON.stringify(source("adapters/sqlite/database.ts"))};
    try { Database.open(${JSON.stringify(file)}); } catch (error) { console.error(error.code, error.message); process.exit(1); }
    process.exit(0);`;
}

function source(path: string): string {
  return createRequire(import.meta.url).resolve(`../../src/${path}`);
}

/** Runs a script as a user who owns nothing, where that may be; else as this one. */
async function asNobody(script: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const file = folder.file("script.mjs");
  writeFileSync(file, script);
  const child = spawn(process.execPath, [file], { ...(isRoot && { uid: 65534, gid: 65534 }), cwd: "/" });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, stdout, stderr };
}

/** As a file of the same version was made before there were those. */
function dropLaterColumns(file: string): void {
  const database = new DatabaseSync(file);
  for (const { table, column } of LATER_COLUMNS) database.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  database.close();
}
