import { chmod, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { createReader } from "../../src/ingest/reader.ts";
import { createStamps } from "../../src/ingest/stamps.ts";
import { watch } from "../../src/ingest/watch.ts";
import { folderForTest, temporaryFolder } from "../support/folder.ts";
import { type OpenedRagline, openRagline } from "../support/ragline.ts";
import { until } from "../support/until.ts";
import { memoryIndex, recordingEmbedder } from "./fakes.ts";

let opened: OpenedRagline;
const folder = temporaryFolder();
const stop = new AbortController();
const failures: string[] = [];
let watching: Promise<void>;

beforeAll(async () => {
  opened = await openRagline();
  await writeFile(folder.file("처음.md"), "# 처음\n\n시작할 때 있던 문서입니다.");
  const first = Promise.withResolvers<void>();
  watching = opened.ragline.watch([folder.path], {
    signal: stop.signal,
    onReport: (report) => {
      failures.push(...report.failures.map(({ reason }) => reason));
      first.resolve();
    },
  });
  await first.promise;
});
afterAll(async () => {
  stop.abort();
  await watching;
  await opened.close();
  folder.remove();
});

const idsOf = async () => (await opened.ragline.listDocuments({ limit: 1000 })).documents.map(({ id }) => id);
const textFound = async (query: string) =>
  (await opened.ragline.search({ query })).hits.map(({ passage }) => passage.text).join();

test("what is there at the start is indexed; added, edited, renamed and deleted files follow", async () => {
  expect(await idsOf()).toEqual(["처음.md"]);
  await writeFile(folder.file("a.md"), "포도는 보랏빛이다.");
  await until(async () => (await textFound("포도")).includes("보랏빛"));
  await writeFile(folder.file("a.md"), "사과는 빨갛다.");
  await until(async () => (await textFound("사과")).includes("빨갛다") && !(await textFound("포도")).includes("포도"));
  await rename(folder.file("a.md"), folder.file("b.md"));
  await until(async () => (await idsOf()).join() === "b.md,처음.md");
  await rm(folder.file("b.md"));
  await until(async () => (await idsOf()).join() === "처음.md");
});

test("an editor's dance of temporary files leaves the document, with its new text", async () => {
  await writeFile(folder.file("c.md"), "하나");
  await until(async () => (await idsOf()).includes("c.md"));
  await writeFile(folder.file(".c.md.swp"), "x");
  await writeFile(folder.file("c.md.tmp"), "둘째 판이다");
  await rename(folder.file("c.md"), folder.file("c.md~"));
  await rename(folder.file("c.md.tmp"), folder.file("c.md"));
  await rm(folder.file("c.md~"));
  await until(async () => (await textFound("둘째 판")).includes("둘째"));
  expect((await idsOf()).filter((id) => id.includes("c.md"))).toEqual(["c.md"]);
});

test("a broken file is reported, keeps its stored version, and the rest goes on", async () => {
  await writeFile(folder.file("c.md"), Buffer.from([0x61, 0xff, 0x20]));
  await writeFile(folder.file("d.md"), "넷째");
  await until(async () => (await idsOf()).includes("d.md"));
  // The report comes at the end of the batch, after what was written in it is found.
  await until(async () => failures.join().includes("not valid UTF-8"));
  expect(await idsOf()).toContain("c.md");
});

test("a name that macOS writes decomposed: one document, found, followed and deleted", async () => {
  const path = folder.file("출장규정.md".normalize("NFD"));
  await writeFile(path, "숙박비는 하루 팔만 원이다.");
  await until(async () => (await idsOf()).includes("출장규정.md"));
  await writeFile(path, "숙박비는 하루 구만 원이다.");
  await until(async () => (await textFound("숙박비")).includes("구만"));
  expect((await idsOf()).filter((id) => id.normalize("NFC") === "출장규정.md")).toHaveLength(1);
  await rm(path);
  await until(async () => !(await idsOf()).includes("출장규정.md"));
});

test("a folder of 300 files comes and goes", async () => {
  await mkdir(folder.file("많은"));
  await Promise.all(
    Array.from({ length: 300 }, (_, i) => writeFile(join(folder.file("많은"), `${i}.txt`), `문서 ${i}`)),
  );
  await until(async () => (await idsOf()).filter((id) => id.startsWith("많은/")).length === 300, 20_000);
  await until(async () => (await opened.ragline.status()).fusion.from === "learned", 20_000);
  await rm(folder.file("많은"), { recursive: true });
  await until(async () => !(await idsOf()).some((id) => id.startsWith("많은/")), 20_000);
});

test("what nobody was told of is found by its time and size; a drive that is gone deletes nothing", async () => {
  const drive = temporaryFolder();
  const stamps = createStamps();
  const names = async () =>
    (await stamps.changed(drive.path, stop.signal)).map((path) => path.slice(drive.path.length + 1));
  for (const name of ["a.md", "b.md", "c.md"]) {
    await writeFile(drive.file(name), "하나");
    await stamps.note(drive.file(name));
  }
  expect(await names()).toEqual([]);
  await writeFile(drive.file("a.md"), "둘이다");
  await writeFile(drive.file("d.md"), "넷");
  await rm(drive.file("b.md"));
  expect(await names()).toEqual(["a.md", "d.md", "b.md"]);
  for (const name of ["a.md", "c.md", "d.md"]) await rm(drive.file(name));
  expect(await names()).toEqual([]);
  drive.remove();
  expect(await names()).toEqual([]);
});

test("a folder that cannot be listed hides what is below it, and a link out hides nothing", async () => {
  const drive = folderForTest();
  const stamps = createStamps();
  for (const name of ["here", "shut", "gone"]) await mkdir(drive.file(name));
  for (const name of ["here/a.md", "shut/b.md", "gone/c.md"]) {
    await writeFile(drive.file(name), "하나");
    await stamps.note(drive.file(name));
  }
  await rm(drive.file("gone"), { recursive: true });
  await symlink(tmpdir(), drive.file("gone"));
  await chmod(drive.file("shut"), 0);
  const changed = await stamps.changed(drive.path, stop.signal);
  await chmod(drive.file("shut"), 0o700);
  expect(changed).toEqual([drive.file("gone/c.md")]);
});

test("a first run that fails is tried again, less and less often, and a stop is heard at once", async () => {
  const drive = temporaryFolder();
  await writeFile(drive.file("a.md"), "하나");
  const { index, documents } = memoryIndex();
  const controller = new AbortController();
  const failedAt: number[] = [];
  const reader = createReader();
  const find: typeof index.find = async (...call) => {
    if (failedAt.length < 2) throw new RaglineError("dependency_failed", "down");
    return index.find(...call);
  };
  const run = watch(
    [drive.path],
    {
      index: { ...index, find },
      embedder: recordingEmbedder().embedder,
      counter: { name: "c", count: (t) => t.length },
      reader,
    },
    {
      scope: { tenant: "t", collection: "c", groups: [] },
      prune: false,
      chunk: { targetTokens: 64, overlapTokens: 0 },
      signal: controller.signal,
      rescanMs: 100,
      onFailure: () => failedAt.push(performance.now()),
    },
  );
  await until(async () => documents.has("a.md"), 20_000);
  const [first = 0, second = 0] = failedAt;
  expect(second - first).toBeGreaterThan(1_900);
  expect(performance.now() - second).toBeGreaterThan(3_900);
  await setTimeout(300);
  const stoppedAt = performance.now();
  controller.abort();
  await run;
  expect(performance.now() - stoppedAt).toBeLessThan(1_000);
  reader.close();
  drive.remove();
});
