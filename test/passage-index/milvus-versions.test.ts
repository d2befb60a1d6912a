import { describe, expect, test } from "vitest";
import type { MilvusRecords } from "../../src/adapters/passage-index/milvus-records.ts";
import { MilvusVersions } from "../../src/adapters/passage-index/milvus-versions.ts";

const LONG_AGO = Date.now() - 60_000;

function versions(isStrong = false): MilvusVersions {
  return new MilvusVersions({ isStrong: () => isStrong } as unknown as MilvusRecords);
}

describe("what is remembered of a collection's version", () => {
  test("is known again while the collection is of it, and of no other", async () => {
    const all = versions();
    all.noteState("p", "v1", LONG_AGO, performance.now());
    let asked = 0;
    const value = async () => ++asked;
    const first = all.reading("p");
    expect(await first.value("k", value)).toBe(1);
    expect(first.isNew).toBe(true);
    first.keep("v1");
    const second = all.reading("p");
    expect(await second.value("k", value)).toBe(1);
    expect([second.isNew, second.isWrong("v1"), second.isWrong("v2")]).toEqual([false, false, true]);
    all.noteState("p", "v2", LONG_AGO, performance.now());
    expect(await all.reading("p").value("k", value)).toBe(2);
    expect(await all.afresh().value("k", value)).toBe(3);
  });

  test.each([
    ["the collection was of another version afterwards", "v2", false],
    ["a collection of Milvus's was not there", "v1", true],
  ])("is nothing where %s", async (_, after, isForgone) => {
    const all = versions();
    all.noteState("p", "v1", LONG_AGO, performance.now());
    const reading = all.reading("p");
    await reading.value("k", async () => 1);
    if (isForgone) reading.forgo();
    reading.keep(after);
    expect(await all.reading("p").value("k", async () => 2)).toBe(2);
  });

  test("stands for a second, unless everything is asked for as it is now", () => {
    const all = versions();
    expect(all.isRecent("p", null)).toBe(false);
    all.noteState("p", "v1", LONG_AGO, performance.now());
    expect([all.isRecent("p", "v1"), all.isRecent("p", "v0"), all.isRecent("q", "v1")]).toEqual([true, false, false]);
    all.noteState("q", "v1", LONG_AGO, performance.now() - 2000);
    expect(all.isRecent("q", "v1")).toBe(false);
    // An answer that was asked for earlier and comes later makes no state older.
    all.noteState("p", "v1", LONG_AGO, performance.now() - 2000);
    expect(all.isRecent("p", "v1")).toBe(true);
    const strong = versions(true);
    strong.noteState("p", "v1", LONG_AGO, performance.now());
    expect(strong.isRecent("p", "v1")).toBe(false);
  });

  test("is not yet all that was written where it was written just now", () => {
    const all = versions();
    expect(all.isSettled("p")).toBe(false);
    all.noteState("p", "v1", Date.now(), performance.now());
    expect(all.isSettled("p")).toBe(false);
    all.noteState("p", "v1", LONG_AGO, performance.now());
    expect(all.isSettled("p")).toBe(true);
  });
});
