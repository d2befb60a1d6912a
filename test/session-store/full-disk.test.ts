import { appendFileSync, rmSync } from "node:fs";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { until } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { addPages, openRagline, warnings } from "../support/ragline.ts";
import { mountSmallDisk } from "../support/small-disk.ts";

const QUESTIONS = ["연차 휴가는 며칠인가요?", "병가는 며칠인가요?", "How long must passwords be?"] as const;

/** A Ragline whose file lies on a small file system of its own, which can be filled and emptied. */
async function onSmallDisk(context: TestContext) {
  const mount = folderForTest().file("small");
  mountSmallDisk(context, mount, 6);
  const { log, lines } = warnings();
  const file = `${mount}/ragline.db`;
  const { ragline, close } = await openRagline({ search: { file }, session: { file }, cache: { use: "none" } }, log);
  onTestFinished(close);
  await addPages(ragline);
  return {
    ...{ ragline, lines },
    /** Before each write that is to fail: two idle seconds empty the database's log, which makes room. */
    fill() {
      try {
        for (;;) appendFileSync(`${mount}/fill`, Buffer.alloc(1024));
      } catch {
        // Full.
      }
    },
    free: () => rmSync(`${mount}/fill`),
    saves: async () => (await ragline.status()).saves,
  };
}

test("turns asked while the disk is full are stored once there is space, whole and in order", async (context) => {
  const { ragline, fill, free, saves } = await onSmallDisk(context);
  const [first, second, third] = QUESTIONS;
  await ragline.answer({ question: first, sessionId: "old" });
  for (const [question, sessionId] of [
    [second, "old"],
    [third, "old"],
    [first, "new"],
  ] as const) {
    fill();
    const { degraded } = await ragline.answer({ question, sessionId });
    expect(degraded).toEqual([
      { step: "save", reason: "overloaded", fallback: "the question was not recorded before its answer" },
      { step: "save", reason: "overloaded", fallback: "turn not stored" },
    ]);
  }
  expect(await saves()).toMatchObject({ saved: 1, failed: 3, waiting: 3, lost: 0 });
  expect(await ragline.ready()).toMatchObject({
    ready: true,
    degraded: [expect.stringMatching(/^save: .*ragline\.db cannot grow: the disk is full/)],
  });
  free();
  await until("all are stored", async () => (await saves()).recovered === 3, 10_000);
  const stored = { status: "complete", answer: expect.stringMatching(/./) };
  expect(await ragline.readSession("old")).toMatchObject({
    turnCount: 3,
    pending: [],
    turns: QUESTIONS.map((question, i) => ({ ...stored, question, number: i + 1 })),
  });
  expect(await ragline.readSession("new")).toMatchObject({ turnCount: 1, turns: [{ ...stored, question: first }] });
  expect(await saves()).toMatchObject({ saved: 1, failed: 3, recovered: 3, waiting: 0, lost: 0 });
  expect(await ragline.ready()).toMatchObject({ degraded: [] });
});

test("a conversation that is deleted while its turns wait stays deleted, and the log says which turn is lost", async (context) => {
  const { ragline, lines, fill, free, saves } = await onSmallDisk(context);
  const [first, second] = QUESTIONS;
  await ragline.answer({ question: first, sessionId: "old" });
  for (const sessionId of ["old", "new"]) {
    fill();
    await ragline.answer({ question: second, sessionId }, { requestId: `in ${sessionId}` });
  }
  expect(await ragline.deleteSession("new")).toBe(false);
  fill();
  await expect(ragline.deleteSession("old")).rejects.toMatchObject({ code: "overloaded" });
  free();
  expect(await ragline.deleteSession("old")).toBe(true);
  await until("none waits", async () => (await saves()).waiting === 0, 10_000);
  expect([await ragline.readSession("old"), await ragline.readSession("new")]).toEqual([null, null]);
  const lost = lines.filter(({ msg }) => `${msg}`.startsWith("a turn is lost"));
  expect(lost).toContainEqual(
    expect.objectContaining({
      level: 40,
      requestId: "in new",
      tenant: "default",
      sessionId: "new",
      step: "save",
      code: "not_found",
    }),
  );
  expect(JSON.stringify(lines)).not.toContain(second);
});
