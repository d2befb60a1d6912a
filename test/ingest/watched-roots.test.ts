import { mkdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { type Folder, folderForTest } from "../support/folder.ts";
import { until } from "../support/until.ts";
import { watching } from "./watching.ts";

let folder: Folder;
const write = (name: string, text: string) => writeFile(folder.file(name), text);
beforeEach(async () => {
  folder = folderForTest();
  await mkdir(folder.file("docs"));
  await write("docs/a.md", "하나");
  await write("docs/b.md", "둘");
});

async function release(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder.file(name));
  for (const [file, text] of Object.entries(files)) await write(`${name}/${file}`, text);
}

test("a root that is a link is followed to the next release: what is new, changed and gone, and later edits", async () => {
  await release("1", { "a.md": "첫째 판", "old.md": "옛것" });
  await release("2", { "a.md": "둘째 판", "new.md": "새것" });
  await symlink("1", folder.file("current"));
  const { ids, text } = await watching(folder.file("current"));
  expect(ids()).toEqual(["a.md", "old.md"]);
  await write("1/a.md", "첫째 판, 고침");
  await until(async () => text("a.md") === "첫째 판, 고침");
  await symlink("2", folder.file("next"));
  await rename(folder.file("next"), folder.file("current"));
  await until(async () => ids().join() === "a.md,new.md" && text("a.md") === "둘째 판");
  await write("2/a.md", "둘째 판, 고침");
  await until(async () => text("a.md") === "둘째 판, 고침");
  await rm(folder.file("2/new.md"));
  await until(async () => ids().join() === "a.md");
});

test("a root below a link is followed when the link is swapped", async () => {
  await mkdir(folder.file("1"));
  await mkdir(folder.file("2"));
  await release("1/docs", { "old.md": "옛것" });
  await release("2/docs", { "new.md": "새것" });
  await symlink("1", folder.file("current"));
  const { ids } = await watching(folder.file("current/docs"));
  await symlink("2", folder.file("next"));
  await rename(folder.file("next"), folder.file("current"));
  await until(async () => ids().join() === "new.md");
});

test("a named file that is a link is followed to the next version", async () => {
  await symlink("docs/a.md", folder.file("note.md"));
  const { ids, text } = await watching(folder.file("note.md"));
  await write("docs/a.md", "하나, 고침");
  await until(async () => text("note.md") === "하나, 고침");
  await symlink("docs/b.md", folder.file("next"));
  await rename(folder.file("next"), folder.file("note.md"));
  await until(async () => text("note.md") === "둘");
  await write("docs/b.md", "둘, 고침");
  await until(async () => text("note.md") === "둘, 고침");
  expect(ids()).toEqual(["note.md"]);
});

test("nothing counts as gone while the root is not there, which is said; back again, it is watched anew", async () => {
  const { ids, text, said, deleted } = await watching(folder.file("docs"));
  await rename(folder.file("docs"), folder.file("gone"));
  await until(async () => said().length > 0);
  expect(said()).toEqual([expect.stringMatching(/docs is not there.*stays/)]);
  await write("gone/a.md", "하나, 고침");
  await rename(folder.file("gone"), folder.file("docs"));
  const backMs = await until(async () => text("a.md") === "하나, 고침");
  await write("docs/b.md", "둘, 고침");
  await until(async () => text("b.md") === "둘, 고침");
  expect(ids()).toEqual(["a.md", "b.md"]);
  expect(deleted).toEqual([]);
  expect(said()).toHaveLength(1);
  // The promise is 2 s; a busy machine may take longer.
  expect(backMs).toBeLessThan(4_000);
});

test("a root that is away for a moment only loses nothing, and is heard afterwards", async () => {
  const { text, deleted } = await watching(folder.file("docs"));
  await rename(folder.file("docs"), folder.file("gone"));
  await rename(folder.file("gone"), folder.file("docs"));
  await until(async () => {
    await write("docs/a.md", "하나, 고침");
    return text("a.md") === "하나, 고침";
  });
  expect(deleted).toEqual([]);
});

test("another folder in the root's place is taken over: what it lacks is removed, and its edits are seen", async () => {
  const { ids, text, deleted } = await watching(folder.file("docs"));
  await release("docs.new", { "a.md": "새 하나", "c.md": "셋" });
  await rename(folder.file("docs"), folder.file("docs.old"));
  await rename(folder.file("docs.new"), folder.file("docs"));
  await until(async () => text("a.md") === "새 하나" && ids().join() === "a.md,c.md");
  await write("docs/c.md", "셋, 고침");
  await until(async () => text("c.md") === "셋, 고침");
  expect(deleted).toEqual(["b.md"]);
});

test("an empty folder in the root's place, as an unmounted disk leaves, deletes nothing until something is in it", async () => {
  const { ids, said, deleted } = await watching(folder.file("docs"));
  await rename(folder.file("docs"), folder.file("gone"));
  await mkdir(folder.file("docs"));
  await until(async () => said().length > 0);
  expect(ids()).toEqual(["a.md", "b.md"]);
  expect(deleted).toEqual([]);
  await write("docs/c.md", "셋");
  await until(async () => ids().join() === "c.md");
});

test("one root that is not there does not keep another from being followed", async () => {
  await release("more", { "m.md": "더" });
  const { ids, said, text } = await watching(folder.file("docs"), folder.file("more"));
  await rename(folder.file("docs"), folder.file("gone"));
  await until(async () => said().length > 0);
  await write("more/n.md", "또");
  await until(async () => text("n.md") === "또");
  await rm(folder.file("more/m.md"));
  await until(async () => !ids().includes("m.md"));
  expect(ids()).toEqual(["a.md", "b.md", "n.md"]);
});

test("deleting every file of a folder that stays is a deletion, and so is deleting a file that was named", async () => {
  await write("note.md", "쪽지");
  const { ids, said } = await watching(folder.file("docs"), folder.file("note.md"));
  expect(ids()).toEqual(["a.md", "b.md", "note.md"]);
  for (const name of ["docs/a.md", "docs/b.md", "note.md"]) await unlink(folder.file(name));
  await until(async () => ids().length === 0);
  await write("note.md", "다시");
  await until(async () => ids().join() === "note.md");
  expect(said()).toEqual([]);
});
