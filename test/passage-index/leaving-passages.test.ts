import { expect, onTestFinished, test, vi } from "vitest";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { SCOPE } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";

const opened = (file: string) => {
  const database = Database.open(file);
  const index = new SqlitePassageIndex(database, { model: "m", dimensions: 0 });
  const close = async () => {
    await index.close();
    await database.close();
  };
  return { index, database, close };
};

const replace = (index: SqlitePassageIndex, id: string, text: string) =>
  index.replace(SCOPE, { id, title: "", hash: "", metadata: {}, groups: [] }, [
    { text, headings: [], tokens: 1, vector: null },
  ]);

/** An index that has been searched, but never for the document `leave`, which another process wrote. */
async function searchedIndex() {
  const file = folderForTest().file("a.db");
  const other = opened(file);
  await replace(other.index, "leave", "연차휴가는 15일입니다");
  await replace(other.index, "parking", "주차장은 무료입니다");
  await other.close();
  const { index, database, close } = opened(file);
  const textsFor = async (text: string) =>
    (await index.search(SCOPE, { text, limit: 5 })).byText.map(({ passage }) => passage.text);
  await index.warm(SCOPE);
  expect(await textsFor("주차장")).toEqual(["주차장은 무료입니다"]);
  // However long the machine takes, the last look for changes is recent.
  const now = performance.now();
  const clock = vi.spyOn(performance, "now").mockReturnValue(now);
  onTestFinished(async () => {
    clock.mockRestore();
    await close();
  });
  return { index, database, textsFor };
}

/** Commits, and holds back the word of it. */
function held<A extends unknown[], R>(commit: (...values: A) => Promise<R>) {
  const [committed, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holding = async (...values: A): Promise<R> => {
    const result = await commit(...values);
    committed.resolve();
    await release.promise;
    return result;
  };
  return { holding, committed: committed.promise, release: release.resolve };
}

test("until a replaced document is taken over, a search goes on with the passages that leave", async () => {
  const { index, database, textsFor } = await searchedIndex();
  const { holding, committed, release } = held(database.writeAndRead.bind(database));
  vi.spyOn(database, "writeAndRead").mockImplementation(holding as typeof database.writeAndRead);
  const replacing = replace(index, "leave", "연차휴가는 16일입니다");
  await committed;
  expect(await textsFor("연차휴가")).toEqual(["연차휴가는 15일입니다"]);
  release();
  await replacing;
  expect(await textsFor("연차휴가")).toEqual(["연차휴가는 16일입니다"]);
});

test("until a deleted document is taken over, a search goes on with the passages that leave", async () => {
  const { index, database, textsFor } = await searchedIndex();
  const { holding, committed, release } = held(database.write.bind(database));
  vi.spyOn(database, "write").mockImplementation(holding);
  const deleting = index.delete(SCOPE, "leave");
  await committed;
  expect(await textsFor("연차휴가")).toEqual(["연차휴가는 15일입니다"]);
  release();
  expect(await deleting).toBe(true);
  expect(await textsFor("연차휴가")).toEqual([]);
});
