import { rm, writeFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { type Folder, folderForTest } from "../support/folder.ts";
import { lines, makePdf } from "../support/pdf.ts";
import { until } from "../support/until.ts";
import { memoryIndex } from "./fakes.ts";
import { indexInto, watching, watchingInto } from "./watching.ts";

let folder: Folder;
const write = (name: string, content: string | Uint8Array) => writeFile(folder.file(name), content);
beforeEach(() => {
  folder = folderForTest();
});

test("a file that is emptied loses its document, and one that is written again gets it back", async () => {
  await write("park.md", "공원은 열 시에 닫는다.");
  await write("blank.txt", "백지");
  await write("other.md", "다른 것");
  const { ids, text, failures } = await watching(folder.path);
  await write("park.md", "");
  await write("blank.txt", " \n\t\n");
  await until(async () => ids().join() === "other.md");
  expect(failures().map(({ reason }) => reason)).toEqual(["has no text", "has no text"]);
  await write("park.md", "공원은 아홉 시에 닫는다.");
  await until(async () => text("park.md") === "공원은 아홉 시에 닫는다.");
});

test("a file that was emptied while nobody watched loses the document that was read from it, and no other of its id", async () => {
  const memory = memoryIndex();
  const call = { signal: new AbortController().signal };
  const scope = { tenant: "t", collection: "c", groups: [] };
  const stored = { title: "", metadata: {}, groups: [], hash: "" };
  for (const name of ["park.md", "posted.md", "other.md"]) await write(name, name === "other.md" ? "다른 것" : "");
  await memory.index.replace(scope, { ...stored, id: "park.md", source: folder.file("park.md") }, [], call);
  await memory.index.replace(scope, { ...stored, id: "posted.md" }, [], call);
  const { ids } = await watchingInto(memory, folder.path);
  await until(async () => !ids().includes("park.md"));
  expect(ids()).toEqual(["other.md", "posted.md"]);
});

test("a large file that is emptied loses its document too, though another process reads it", async () => {
  await write("big.md", "본문이다. ".repeat(5_000));
  const { ids } = await watching(folder.path);
  expect(ids()).toEqual(["big.md"]);
  await write("big.md", " ".repeat(50_000));
  await until(async () => ids().length === 0);
});

test("a save that truncates and writes half a second later does not take the document away", async () => {
  await write("a.md", "첫째 판");
  await write("c.jsonl", '{"id":"1","text":"하나"}\n');
  const { text, deleted, failures } = await watching(folder.path);
  await write("a.md", "");
  await write("c.jsonl", "");
  await new Promise((resolve) => setTimeout(resolve, 700));
  await write("a.md", "둘째 판");
  await write("c.jsonl", '{"id":"1","text":"하나, 고침"}\n');
  await until(async () => text("a.md") === "둘째 판" && text("1") === "하나, 고침");
  expect(deleted).toEqual([]);
  expect(failures()).toEqual([]);
});

test("a line that leaves a JSONL file, or whose text does, loses its document, though another line cannot be read", async () => {
  await write("c.jsonl", '{"id":"1","text":"하나"}\n{"id":"2","text":"둘"}\n{"id":"3","text":"셋"}\n');
  const { ids } = await watching(folder.path);
  await write("c.jsonl", '{"id":"1","text":"하나"}\n{"id":"2","text":"둘"}\n');
  await until(async () => ids().join() === "1,2");
  await write("c.jsonl", '{"id":"1"}\n{"id":"2","text":""}\n');
  await until(async () => ids().join() === "1");
});

test("documents of groups go with their line and their file, also one that was indexed before", async () => {
  const restricted = "---\ngroups: [hr]\n---\n";
  await write("c.jsonl", '{"id":"1","text":"하나"}\n{"id":"2","text":"둘","groups":["board"]}\n');
  await write("gone.md", `${restricted}본문`);
  const memory = memoryIndex();
  const scope = { tenant: "t", collection: "c", groups: [] };
  const before = { id: "emptied.md", title: "", metadata: {}, groups: ["legal"], hash: "" };
  await write("emptied.md", restricted);
  await memory.index.replace(scope, { ...before, source: folder.file("emptied.md") }, [], {
    signal: new AbortController().signal,
  });
  const { ids } = await watchingInto(memory, folder.path);
  await until(async () => ids().join() === "1,2,gone.md");
  await write("c.jsonl", '{"id":"1","text":"하나"}\n');
  await rm(folder.file("gone.md"));
  await until(async () => ids().join() === "1");
});

test("a file that cannot be read keeps its stored version: damaged, without a text layer, of unknown encoding", async () => {
  const pdf = makePdf([lines(["Text"], { x: 50, y: 700 })]);
  for (const name of ["damaged.pdf", "scan.pdf"]) await write(name, pdf);
  await write("a.md", "본문");
  const { ids, failures } = await watching(folder.path);
  await write("damaged.pdf", "");
  await write("scan.pdf", makePdf([[]]));
  await write("a.md", Buffer.from([0x61, 0xff, 0x20]));
  await until(async () => new Set(failures().map(({ path }) => path)).size === 3, 20_000);
  expect(ids()).toEqual(["a.md", "damaged.pdf", "scan.pdf"]);
  await rm(folder.file("scan.pdf"));
  await until(async () => ids().join() === "a.md,damaged.pdf");
});

test("a copy that goes takes no document along that was read from a file elsewhere which is still there", async () => {
  const memory = memoryIndex();
  const elsewhere = folderForTest();
  for (const { path } of [elsewhere, folder]) {
    await writeFile(`${path}/licence.md`, "사용 조건");
    await writeFile(`${path}/moved.md`, "옮긴 글");
    if (path === elsewhere.path) await indexInto(memory, path);
  }
  await rm(elsewhere.file("moved.md"));
  const { deleted } = await watchingInto(memory, folder.path);
  await rm(folder.file("licence.md"));
  await rm(folder.file("moved.md"));
  await until(async () => deleted.length > 0);
  expect(deleted).toEqual(["moved.md"]);
});
