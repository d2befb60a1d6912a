import { copyFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { SqliteCollections } from "../../src/adapters/passage-index/sqlite-collections.ts";
import { LiveCollection } from "../../src/adapters/passage-index/sqlite-live.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { Builder } from "../../src/resident/builder.ts";
import type { Scope } from "../../src/types.ts";
import { folderForTest } from "../support/folder.ts";

const scopeOf = (collection: string): Scope => ({ tenant: "t", collection, groups: [] });
const [A, B, C] = ["a", "b", "c"].map(scopeOf) as [Scope, Scope, Scope];

async function write(index: SqlitePassageIndex, scope: Scope, text: string): Promise<void> {
  const passage = { text, headings: [], tokens: 3, vector: null };
  await index.replace(scope, { id: "d", title: "", hash: "", metadata: {}, groups: [] }, [passage]);
}

/** A file with the collections a, b and c; `bytesMax` of the index. */
async function filled(bytesMax?: number) {
  const database = Database.open(folderForTest().file("a.db"));
  const index = new SqlitePassageIndex(
    database,
    { model: "m", dimensions: 8 },
    bytesMax === undefined ? {} : { bytesMax },
  );
  onTestFinished(async () => {
    await index.close();
    await database.close();
  });
  for (const scope of [A, B, C]) await write(index, scope, `휴가 규정 ${scope.collection}`);
  return { database, index };
}

/** Room for `count` of the three collections. */
async function held(count: number) {
  const { database, index } = await filled();
  const builder = new Builder();
  const open = ({ tenant, collection }: Scope) => new LiveCollection(database, tenant, collection, builder);
  const one = open(A);
  await one.current();
  const collections = new SqliteCollections(open, (count + 0.5) * one.bytes);
  await one.close();
  onTestFinished(() => collections.close());
  const search = (scope: Scope) => collections.search(scope, async (live) => (await live.recent()).passages);
  return { index, collections, search };
}

test("of a collection that is not there nothing is kept", async () => {
  const { collections, search } = await held(3);
  expect(await search(scopeOf("made-up"))).toBe(0);
  expect(collections.has(scopeOf("made-up"))).toBe(false);
});

test("what was deleted down to nothing is not read through again by each search", async () => {
  const { index, collections, search } = await held(3);
  await index.delete(A, "d");
  expect(await search(A)).toBe(0);
  expect(collections.has(A)).toBe(true);
});

test("beyond the bound the one not searched for longest goes, and comes back when it is asked for", async () => {
  const { collections, search } = await held(2);
  for (const scope of [A, B, A, C]) expect(await search(scope)).toBe(1);
  expect([A, B, C].map((scope) => collections.has(scope))).toEqual([true, false, true]);
  expect(await search(B)).toBe(1);
  expect([A, B, C].map((scope) => collections.has(scope))).toEqual([false, true, true]);
});

test("what is in use stays, and so does the one searched last", async () => {
  const { collections, search } = await held(0);
  const { promise, resolve } = Promise.withResolvers<void>();
  const long = collections.search(A, async (live) => {
    await promise;
    return (await live.current()).passages;
  });
  await search(B);
  await search(C);
  expect([A, B, C].map((scope) => collections.has(scope))).toEqual([true, false, true]);
  resolve();
  expect(await long).toBe(1);
  expect([A, B, C].map((scope) => collections.has(scope))).toEqual([false, false, true]);
});

test("an index without room for two collections answers from each, and sees what is written meanwhile", async () => {
  const { index } = await filled(1);
  const texts = async (scope: Scope) =>
    (await index.search(scope, { text: "휴가", limit: 5 })).byText.map(({ passage }) => passage.text);
  for (const scope of [A, B, A]) expect(await texts(scope)).toEqual([`휴가 규정 ${scope.collection}`]);
  const [before] = [await index.version(A)];
  await write(index, B, "휴가 신청");
  expect(await texts(B)).toEqual(["휴가 신청"]);
  expect(await index.version(A)).toBe(before);
});

test("a version that was lost when a backup was restored never comes back", async () => {
  const folder = folderForTest();
  const [file, backup] = [folder.file("a.db"), folder.file("backup.db")];
  const opened = async <T>(work: (index: SqlitePassageIndex) => Promise<T>): Promise<T> => {
    const database = Database.open(file);
    const index = new SqlitePassageIndex(database, { model: "m", dimensions: 8 });
    const done = await work(index);
    await index.close();
    await database.close();
    return done;
  };
  const written = (text: string) =>
    opened(async (index) => {
      await write(index, A, text);
      return index.version(A);
    });
  const first = await written("하나");
  copyFileSync(file, backup);
  const lost = [await written("둘"), await written("셋")];
  copyFileSync(backup, file);
  expect(await opened((index) => index.version(A))).toBe(first);
  expect([first, ...lost]).not.toContain(await written("넷"));
  expect([first, ...lost]).not.toContain(await written("다섯"));
});
