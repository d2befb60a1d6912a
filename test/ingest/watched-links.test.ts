import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { type Folder, folderForTest } from "../support/folder.ts";
import { until } from "../support/until.ts";
import { watching } from "./watching.ts";

let folder: Folder;
const write = (name: string, text: string) => writeFile(folder.file(name), text);
beforeEach(async () => {
  folder = folderForTest();
  for (const name of ["docs", "docs/sub", "out"]) await mkdir(folder.file(name));
  await write("docs/a.md", "하나");
  await write("docs/sub/b.md", "둘");
  await write("out/pay.txt", "연봉");
});

const OUTSIDE = "is a link out of the folder, which is not followed: name its target instead";

test("links out of the folder that appear while watching are refused as in the first run, and leave nothing", async () => {
  const { ids, failures } = await watching(folder.file("docs"));
  await symlink("../out/pay.txt", folder.file("docs/pay.txt"));
  await symlink("../out", folder.file("docs/team"));
  await until(async () => failures().length >= 2);
  expect(failures()).toEqual(
    expect.arrayContaining([
      { path: folder.file("docs/pay.txt"), documentId: "pay.txt", reason: OUTSIDE },
      { path: folder.file("docs/team"), reason: OUTSIDE },
    ]),
  );
  await rm(folder.file("docs/pay.txt"));
  await rm(folder.file("docs/team"));
  await write("docs/c.md", "셋");
  await until(async () => ids().includes("c.md"));
  expect(ids()).toEqual(["a.md", "c.md", "sub/b.md"]);
});

test("a folder that is replaced by a link out of the watched one is not read through it", async () => {
  const { ids, failures } = await watching(folder.file("docs"));
  await write("out/b.md", "남의 것");
  await rename(folder.file("docs/sub"), folder.file("sub.old"));
  await symlink("../out", folder.file("docs/sub"));
  await until(async () => failures().some(({ reason }) => reason === OUTSIDE));
  await until(async () => ids().join() === "a.md");
});

test("a link to a file inside is a document of its own, and one to a folder inside adds nothing", async () => {
  const { ids } = await watching(folder.file("docs"));
  await symlink("sub", folder.file("docs/alias"));
  await symlink("sub/b.md", folder.file("docs/z.md"));
  await until(async () => ids().includes("z.md"));
  expect(ids()).toEqual(["a.md", "sub/b.md", "z.md"]);
  await rm(folder.file("docs/z.md"));
  await rm(folder.file("docs/alias"));
  await until(async () => !ids().includes("z.md"));
  expect(ids()).toEqual(["a.md", "sub/b.md"]);
});
