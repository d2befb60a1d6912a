import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { createFusionLearner } from "../../src/fusion/keep.ts";
import { migrate } from "../../src/migrate/migrate.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { withMethods } from "../../src/wrap/with-methods.ts";
import { HOSTILE_IDS } from "../contract/transfer.ts";
import { call, SCOPE, sleep } from "../support/calls.ts";
import { contents, EMBEDDER, fill, migrated, type OpenedIndex, openSqliteIndex, write } from "../support/migrating.ts";

let opened: OpenedIndex[];
let from: PassageIndex;
let to: PassageIndex;

beforeEach(() => {
  opened = [openSqliteIndex(), openSqliteIndex()];
  [from, to] = opened.map(({ index }) => index) as [PassageIndex, PassageIndex];
});
afterEach(async () => {
  for (const one of opened) await one.close();
});

const ids = async (index: PassageIndex) => {
  const groups = await index.groups(SCOPE, call());
  return (await index.list({ ...SCOPE, groups }, { limit: 1000 }, call())).documents.map(({ id }) => id);
};
const delayed = async (index: PassageIndex, id: string, seeds: number[]) => {
  // Times are in milliseconds.
  await sleep(3);
  await write(index, id, seeds);
  await sleep(3);
};

describe("moving a collection", () => {
  test("everything arrives as it was, of all groups and under any id, with its time, and answers are the same", async () => {
    await fill(from, 60);
    for (const [i, id] of HOSTILE_IDS.entries()) await write(from, id, [1000 + i], { groups: i % 2 ? ["임원"] : [] });
    const report = await migrated(from, to);
    expect(await contents(to)).toEqual(await contents(from));
    expect((await contents(to)).length).toBe(60 + HOSTILE_IDS.length);
    expect(report).toMatchObject({ copied: 60 + HOSTILE_IDS.length, settled: true, quiet: true, problems: [] });
    expect(report.verification.source).toEqual(report.verification.target);
    expect(report.verification.agreement).toEqual({
      questions: 200,
      tied: 0,
      overlap: 1,
      identical: 200,
      worst: expect.anything(),
    });
  });

  test("questions that hundreds of passages answer equally well are not compared: engines name others of them", async () => {
    await fill(from, 20);
    for (let i = 0; i < 600; i++) await write(from, `same${i}`, [500]);
    const { problems, verification } = await migrated(from, to);
    expect(problems).toEqual([]);
    expect(verification.target).toEqual({ documents: 620, passages: verification.source.passages });
    expect(verification.agreement.tied).toBeGreaterThan(0);
    expect(verification.agreement.overlap).toBe(1);
  });

  test("a second run copies nothing; a third only what was written since, and deletes nothing by itself", async () => {
    await fill(from, 30);
    await migrated(from, to);
    expect(await migrated(from, to)).toMatchObject({ copied: 0, deleted: 0, problems: [] });
    await delayed(from, "d3", [900]);
    await delayed(from, "new", [901, 902]);
    expect(await migrated(from, to)).toMatchObject({ copied: 2, copiedPassages: 3, problems: [] });
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("what was learned about fusing the legs comes with it", async () => {
    await fill(from, 60);
    await createFusionLearner(
      { index: from, embedder: EMBEDDER, settings: { fusion: "learned" } },
      () => undefined,
    ).learn(SCOPE, call());
    const learned = await from.fusion?.load(SCOPE, call());
    expect(learned).toMatchObject({ embedder: EMBEDDER.model });
    await migrated(from, to);
    expect(await to.fusion?.load(SCOPE, call())).toEqual(learned);
  });

  test("documents deleted in the source while it runs go in the target", async () => {
    await fill(from, 20);
    const deleting = withMethods(to, {
      replace: async (scope, document, passages, options) => {
        await to.replace(scope, document, passages, options);
        if (document.id === "d12") await from.delete(SCOPE, "d1", call());
      },
    });
    expect(await migrated(from, deleting)).toMatchObject({ deleted: 1, problems: [], settled: true });
    expect(await ids(to)).not.toContain("d1");
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("a source that is written all the time ends it, and that is said", async () => {
    await fill(from, 10);
    let writes = 0;
    const busy = withMethods(from, {
      list: async (scope, page, options) => {
        await write(from, `later ${writes++}`, [writes]);
        return from.list(scope, page, options);
      },
    });
    const report = await migrated(busy, to, { followMs: 0 });
    expect(report).toMatchObject({ settled: false, quiet: false, problems: [], passes: 3 });
    expect(Date.parse(report.since)).toBeLessThan(Date.now());
  });
});

describe("what the target holds besides", () => {
  beforeEach(async () => {
    await fill(from, 10);
    await write(to, "다른 문서", [500]);
    await write(to, "d1", [501]);
  });

  test("is refused before anything is copied, and named", async () => {
    await expect(migrated(from, to)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/1 document that the source lacks \("다른 문서"\).*--merge.*--prune/),
    });
    expect(await ids(to)).toEqual(["d1", "다른 문서"]);
  });

  test("is kept, and so is what is newer there", async () => {
    const report = await migrated(from, to, { others: "keep" });
    expect(report.last.decided).toMatchObject({ foreign: 1, newer: 1, same: 9 });
    expect(report.last.named).toEqual({ foreign: ["다른 문서"], newer: ["d1"] });
    expect(report.problems).toEqual([]);
    expect((await contents(to)).length).toBe(11);
  });

  test("is deleted where that is wanted", async () => {
    await migrated(from, to, { others: "delete" });
    expect(await ids(to)).toEqual(await ids(from));
  });
});

describe("once writers have switched", () => {
  test("what they wrote, replaced and deleted stays, and the source's last writes are carried over", async () => {
    await fill(from, 10);
    const { since } = await migrated(from, to);
    // The source's last writes, before the switch.
    await delayed(from, "d1", [700]);
    await delayed(from, "late", [701]);
    await delayed(from, "d2", [702]);
    // The target's first.
    await delayed(to, "d2", [800]);
    await delayed(to, "d3", [801]);
    await delayed(to, "fresh", [802]);
    await to.delete(SCOPE, "d4", call());
    const report = await migrated(from, to, { since });
    expect(report).toMatchObject({ copied: 2, deleted: 0, problems: [] });
    expect(report.last.decided).toMatchObject({ newer: 2, gone: 1, foreign: 1 });
    const hashes = Object.fromEntries(
      ((await contents(to)) as { document: { id: string; hash: string } }[]).map(({ document: { id, hash } }) => [
        id,
        hash,
      ]),
    );
    expect(hashes).toMatchObject({ d1: "d1 700", late: "late 701", d2: "d2 800", d3: "d3 801", fresh: "fresh 802" });
    expect(hashes).not.toHaveProperty("d4");
  });

  test("what the source lacks of what was carried before is deleted only where that is wanted", async () => {
    await fill(from, 10);
    const { since } = await migrated(from, to);
    await from.delete(SCOPE, "d1", call());
    await delayed(to, "fresh", [802]);
    expect((await migrated(from, to, { since })).last.named.foreign).toEqual(["d1", "fresh"]);
    expect(await migrated(from, to, { since, others: "delete" })).toMatchObject({ deleted: 1 });
    expect(await ids(to)).toEqual([...(await ids(from)), "fresh"]);
  });
});

describe("what is refused", () => {
  test("embedders that differ, both named", async () => {
    await fill(from, 1);
    const other = { ...EMBEDDER, model: "another", dimensions: 8 };
    const options = {
      collection: SCOPE,
      fusion: "learned",
      signal: new AbortController().signal,
      questions: 0,
      others: "refuse",
    } as const;
    await expect(
      migrate({ index: from, embedder: EMBEDDER }, { index: to, embedder: other }, options),
    ).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/hashing\/64.* \(64 dimensions\).*another \(8\)/),
    });
  });

  test("a collection that was indexed with another embedder, named", async () => {
    const odd = openSqliteIndex({ model: "older", dimensions: 64 });
    opened.push(odd);
    await fill(odd.index, 2);
    const message = expect.stringMatching(
      /the source was indexed with the embedder older, the configured one is hashing/,
    );
    await expect(migrated(odd.index, to)).rejects.toMatchObject({ code: "conflict", message });
    await fill(from, 2);
    await expect(migrated(from, odd.index)).rejects.toMatchObject({
      message: expect.stringContaining("the target was"),
    });
  });

  test("an index that cannot do it, the same one, and one that is empty", async () => {
    await fill(from, 2);
    const { transfer: _, ...rest } = { search: from.search, transfer: undefined };
    await expect(migrated(rest as unknown as PassageIndex, to)).rejects.toMatchObject({ code: "config_invalid" });
    await expect(migrated(from, from)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("same index"),
    });
    await expect(
      migrated(to, from, { others: "keep", collection: { tenant: "nobody", collection: "x" } }),
    ).rejects.toMatchObject({
      code: "not_found",
      message: "nothing is indexed in nobody/x",
    });
  });
});

describe("what fails", () => {
  test("a document that the target refuses is named, and the others are copied", async () => {
    await fill(from, 10);
    const picky = withMethods(to, {
      replace: (scope, document, passages, options) =>
        document.id === "d4"
          ? Promise.reject(new RaglineError("request_invalid", "id: longer than 1 byte."))
          : to.replace(scope, document, passages, options),
    });
    const report = await migrated(from, picky);
    expect(report.problems).toContain("1 documents could not be copied");
    expect(report.last.failures).toEqual([{ id: "d4", message: "target: id: longer than 1 byte." }]);
    expect((await ids(to)).length).toBe(9);
  });

  test("what may pass is tried again, and told", async () => {
    await fill(from, 10);
    let failures = 0;
    const shaky = withMethods(to, {
      replace: (scope, document, passages, options) =>
        failures++ % 3 === 0
          ? Promise.reject(new RaglineError("dependency_failed", "The server went away."))
          : to.replace(scope, document, passages, options),
    });
    const told: string[] = [];
    expect(await migrated(from, shaky, { onTrouble: (message) => void told.push(message) })).toMatchObject({
      problems: [],
    });
    expect(told).toContain("target: The server went away.");
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("what does not pass ends it, with its side named", async () => {
    await fill(from, 10);
    const down = withMethods(to, {
      replace: () => Promise.reject(new RaglineError("dependency_failed", "The server went away.")),
    });
    await expect(migrated(from, down, { patienceMs: 150 })).rejects.toMatchObject({
      code: "dependency_failed",
      message: "target: The server went away.",
    });
  });

  test("a target that answers otherwise is found out", async () => {
    await fill(from, 60);
    const wrong = withMethods(to, {
      search: async (scope, query, options) => {
        const { byText, byVector } = await to.search(scope, { ...query, limit: 100 }, options);
        return { byText: byText.slice(5), byVector: byVector.slice(5) };
      },
    });
    const { problems } = await migrated(from, wrong);
    expect(problems).toEqual([expect.stringMatching(/answers differ: mean overlap 0\.\d+, at least 0\.95/)]);
  });

  test("a target that counts or gives back otherwise is found out", async () => {
    await fill(from, 10);
    const lossy = withMethods(to, {
      status: async (scope, options) => ({ ...(await to.status(scope, options)), passages: 1 }),
    });
    expect((await migrated(from, lossy)).problems).toEqual([
      expect.stringMatching(/counts differ: .* 19 passages.* 1 passages/),
    ]);
    const changing = withMethods(to, {
      list: async (scope, page, options) => {
        const found = await to.list(scope, page, options);
        return {
          ...found,
          documents: found.documents.map((entry) => (entry.id === "d1" ? { ...entry, title: "?" } : entry)),
        };
      },
    });
    expect((await migrated(from, changing, { others: "delete" })).problems).toEqual([
      "1 documents are given back otherwise by the target than they were copied",
    ]);
  });

  test("who leaves ends it, and the next run goes on", async () => {
    await fill(from, 40);
    const leaving = new AbortController();
    const running = migrated(from, to, {
      signal: leaving.signal,
      onProgress: ({ copied }) => copied === 10 && leaving.abort(),
    });
    await expect(running).rejects.toThrow();
    const { copied } = await migrated(from, to);
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThanOrEqual(30);
    expect(await contents(to)).toEqual(await contents(from));
  });
});
