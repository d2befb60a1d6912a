import { expect, test } from "vitest";
import { Opened, opening } from "../../src/compose/opened.ts";
import { closeAll } from "../../src/wrap/close-all.ts";
import { folderForTest } from "../support/folder.ts";

/** Parts that say when they are closed, and fail then where they are told to. */
function parts() {
  const closed: string[] = [];
  const part = (name: string, fails = false) => ({
    async close() {
      closed.push(name);
      if (fails) throw new Error(name);
    },
  });
  return { closed, part };
}

test("the latest part is closed first, and each though others fail; the first failure is told", async () => {
  const { closed, part } = parts();
  const opened = new Opened();
  for (const one of [part("a"), part("b", true), {}, null, part("c", true), part("d")]) opened.keep(one);
  await expect(opened.close()).rejects.toThrow("c");
  expect(closed).toEqual(["d", "c", "b", "a"]);
});

test("stages that name one file share it, and may use it until all are closed", async () => {
  const opened = new Opened();
  const file = folderForTest().file("a.db");
  const database = opened.database(file);
  const part = opened.keep({ close: async () => void database.get("SELECT 1") });
  expect(opened.database(file)).toBe(database);
  await opened.close();
  await expect(part.close()).rejects.toMatchObject({ code: "cancelled" });
});

test("what cannot be composed leaves nothing open", async () => {
  const { closed, part } = parts();
  const composed = opening(async (opened) => {
    opened.keep(part("a"));
    opened.keep(part("b", true));
    throw new Error("no index");
  });
  await expect(composed).rejects.toThrow("no index");
  expect(closed).toEqual(["b", "a"]);
});

test("all of a list are closed", async () => {
  const { closed, part } = parts();
  await expect(closeAll([part("a", true), part("b")])).rejects.toThrow("a");
  expect(closed).toEqual(["a", "b"]);
});
