import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Ragline } from "../src/index.ts";
import { ragline as command } from "./cli/run.ts";
import { until } from "./support/calls.ts";
import { type OpenedRagline, openRagline } from "./support/ragline.ts";

const LEAVING = { tenant: "leaving" };
const STAYING = { tenant: "staying" };

let opened: OpenedRagline;
let ragline: Ragline;
beforeEach(async () => {
  opened = await openRagline({ embed: { use: "static" }, server: { timeoutMs: 30_000 } });
  ragline = opened.ragline;
  for (const caller of [LEAVING, STAYING]) {
    for (let i = 0; i < 40; i++) {
      const text = `# 규정 ${i}\n\n${caller.tenant} 회사의 주차 규정 ${i}조: 주차장은 지하 ${i}층에 있고 요금은 ${i}00원이다.`;
      await ragline.addDocument({ id: `d${i}`, text, groups: i % 2 ? [`g${i % 5}`] : [] }, caller);
    }
    await ragline.addDocument({ id: "d", text: "다른 모음의 글이다.", collection: "other" }, caller);
    for (const sessionId of ["a", "b"])
      await ragline.answer({ question: "주차장은 어디에 있나요?", sessionId }, caller);
  }
});
afterEach(() => opened.close());

function stored(sql: string, tenant: string): unknown {
  const reader = new DatabaseSync(opened.folder.file("ragline.db"), { readOnly: true, timeout: 10_000 });
  const value = reader.prepare(`SELECT (${sql}) AS value`).get(tenant)?.value;
  reader.close();
  return value;
}
const rows = (table: string, tenant: string) => stored(`SELECT count(*) FROM ${table} WHERE tenant = ?`, tenant);
/** Passages. */
const learnedFrom = (tenant: string) =>
  stored("SELECT learned ->> 'passages' FROM fusion JOIN collections ON row = collection WHERE tenant = ?", tenant);

test("a tenant's collection goes with documents of every group, conversations and cached answers; nothing else does", async () => {
  await until("answers are kept", () => rows("answers", "leaving") === 1);
  await until("it was learned from", () => Number(learnedFrom("leaving")) > 0);
  await ragline.answer({ question: "주차장은 어디에 있나요?" }, LEAVING);
  expect(await ragline.erase({ collection: "default" }, LEAVING)).toEqual({ documents: 40, sessions: 3 });

  const all = { ...LEAVING, groups: ["g0", "g1", "g2", "g3", "g4"] };
  expect(await ragline.listDocuments({}, all)).toEqual({ documents: [] });
  expect(await ragline.readSession("a", undefined, LEAVING)).toBeNull();
  expect([rows("answers", "leaving"), rows("sessions", "leaving")]).toEqual([0, 0]);
  expect(await ragline.answer({ question: "주차장은 어디에 있나요?" }, LEAVING)).toMatchObject({
    finishReason: "no_answer",
  });
  await until("what was learned of it is forgotten", () => learnedFrom("leaving") === 0);

  expect((await ragline.status("other", LEAVING)).documents).toBe(1);
  expect((await ragline.status(undefined, STAYING)).documents).toBe(20);
  expect((await ragline.readSession("b", undefined, STAYING))?.turnCount).toBe(1);
  expect(rows("answers", "staying")).toBe(1);
  expect(await ragline.erase({ collection: "default" }, LEAVING)).toEqual({ documents: 0, sessions: 1 });
});

test("a caller who leaves stops it, which is no fault of Ragline's; the next call goes on", async () => {
  const left = ragline.erase({ collection: "default" }, { ...LEAVING, signal: AbortSignal.abort() });
  await expect(left).rejects.toMatchObject({ name: "RaglineError", code: "cancelled" });
  expect(await ragline.erase({ collection: "default" }, LEAVING)).toEqual({ documents: 40, sessions: 2 });
});

test("a collection must be named", async () => {
  await expect(ragline.erase({} as { collection: string })).rejects.toMatchObject({ code: "request_invalid" });
});

test("the command refuses until --yes is said, then says what it erased", async () => {
  await opened.ragline.close();
  const run = (...args: string[]) =>
    command(opened.folder.path, "erase", "--tenant", "leaving", "--collection", "default", ...args);
  expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
  expect(rows("sessions", "leaving")).toBe(2);
  const { code, stdout, stderr } = await run("--yes");
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: "leaving/default: 40 documents, 2 conversations erased\n",
    stderr: "",
  });
  expect([rows("sessions", "leaving"), rows("answers", "leaving"), rows("sessions", "staying")]).toEqual([0, 0, 2]);
});
