import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { type OpenedRagline, openRagline } from "../support/ragline.ts";

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
/** Milliseconds until it holds. The promise of 2 s is for an idle machine; under load it may take longer. */
async function until(holds: () => Promise<boolean>, limitMs = 8_000): Promise<number> {
  const since = performance.now();
  while (!(await holds())) {
    if (performance.now() - since > limitMs) throw new Error("did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return performance.now() - since;
}

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
  expect(failures.join()).toMatch(/not valid UTF-8/);
  expect(await idsOf()).toContain("c.md");
});

test("a folder of 300 files comes and goes", async () => {
  await mkdir(folder.file("많은"));
  await Promise.all(
    Array.from({ length: 300 }, (_, i) => writeFile(join(folder.file("많은"), `${i}.txt`), `문서 ${i}`)),
  );
  await until(async () => (await idsOf()).filter((id) => id.startsWith("많은/")).length === 300, 20_000);
  await rm(folder.file("많은"), { recursive: true });
  await until(async () => !(await idsOf()).some((id) => id.startsWith("많은/")), 20_000);
});
