import { existsSync, readFileSync, statSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../support/calls.ts";
import { type OpenedRagline, openRagline } from "../support/ragline.ts";

const MARKS = ["zqtext", "zqtitle", "zqmeta", "zqgroup", "zqdoc", "zqsession", "zqasked", "비밀독수리"];
const CALLER = { tenant: "acme", groups: ["zqgroup"] };

async function filled(): Promise<OpenedRagline> {
  const opened = await openRagline({
    cache: { use: "none" },
    search: { timeoutMs: 60_000 },
    session: { timeoutMs: 60_000 },
    save: { timeoutMs: 60_000 },
    server: { timeoutMs: 60_000 },
  });
  onTestFinished(opened.close);
  const { ragline } = opened;
  const add = async (i: number) => {
    const text = `# zqtext ${i}\n\nThe zqtext policy ${i} says: leave is ${i} days. 비밀독수리 규정 ${i}조.\n\n${"Filler. ".repeat(200)}`;
    const about = { id: `zqdoc-${i}`, title: `zqtitle ${i}`, metadata: { team: `zqmeta ${i}` } };
    await ragline.addDocument({ ...about, text, groups: i % 2 ? ["zqgroup"] : [] }, CALLER);
  };
  for (let i = 0; i < 40; i++) await add(i);

  for (let i = 0; i < 9; i++) {
    await ragline.answer({ question: `zqasked: what does policy ${i} say?`, sessionId: `zqsession-${i % 3}` }, CALLER);
  }
  await ragline.addDocument({ id: "other", text: "The travel limit is 90,000 won." }, { tenant: "beta" });
  for (let i = 0; i < 40; i++) await ragline.deleteDocument(`zqdoc-${i}`, undefined, CALLER);
  for (let i = 0; i < 3; i++) await ragline.deleteSession(`zqsession-${i}`, undefined, CALLER);
  return opened;
}

/** Which of the marks the file, and its log, hold. */
function marksIn(file: string): string[] {
  const bytes = [file, `${file}-wal`].filter(existsSync).map((path) => readFileSync(path));
  return MARKS.filter((mark) => bytes.some((each) => each.includes(mark)));
}

test("what was deleted is in neither the file nor its log once the process has closed it", async () => {
  const { ragline, folder } = await filled();
  const file = folder.file("ragline.db");
  expect(marksIn(file)).toEqual(MARKS);
  await ragline.close();
  expect(marksIn(file)).toEqual([]);
  expect(readFileSync(file).includes("travel limit")).toBe(true);
});

test("nor while it is open, soon after the last write", async () => {
  const { folder } = await filled();
  const file = folder.file("ragline.db");
  await until("the log is empty", () => statSync(`${file}-wal`).size === 0);
  expect(marksIn(file)).toEqual([]);
});
