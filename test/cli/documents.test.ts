import { mkdir, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { searchSchema } from "../../src/http/responses.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postJson } from "../support/http.ts";
import { lines, makePdf, withPassword } from "../support/pdf.ts";
import { until } from "../support/until.ts";
import { endedWell, finish, printed, ragline, start } from "./run.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(async () => {
  folder = temporaryFolder();
  await mkdir(folder.file("docs"));
});
afterEach(() => folder.remove());

const pdf = (text: string) => makePdf([lines([text], { x: 50, y: 700 })]);

it("a folder with bad PDFs: each is named with its reason, the rest is indexed, and the exit code is 1", async () => {
  await writeFile(folder.file("docs/규정.pdf"), pdf("출장 숙박비 한도는 하루 8만 원이다."));
  await writeFile(folder.file("docs/비밀.pdf"), withPassword(pdf("비밀이다.")));
  await writeFile(folder.file("docs/깨짐.pdf"), "%PDF-1.7\n");
  const { code, stdout, stderr } = await ragline(folder.path, "index", "docs");
  expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(/1 added.* 2 failed/) });
  expect(stderr).toMatch(/docs\/비밀\.pdf: is encrypted/);
  expect(stderr).toMatch(/docs\/깨짐\.pdf: is damaged, or no PDF/);
  expect((await ragline(folder.path, "ask", "숙박비 한도는?")).stdout).toMatch(/8만 원.*\[1\][\s\S]*규정\.pdf, p\. 1/);
});

it("serve --watch: an edit is found over HTTP, a deleted file is not, all of the tenant named, and Ctrl-C ends it", {
  timeout: 60_000,
}, async () => {
  await writeFile(folder.file("docs/a.md"), "포도는 보랏빛이다.");
  const server = start(folder.path, ["serve", "--port", "0", "--watch", "docs", "--tenant", "새길법무"]);
  const finished = finish(server);
  const output = await printed(server, /listening on (\S+);[\s\S]*1 added/);
  const url = /listening on (\S+);/.exec(output)?.[1];
  const found = async (query: string) => {
    const { hits } = searchSchema.parse(await (await postJson(`${url}/v1/search`, { query })).json());
    return hits.map(({ passage }) => `${passage.documentId} ${passage.text}`).join();
  };
  expect(await found("포도")).toBe("a.md 포도는 보랏빛이다.");
  await writeFile(folder.file("docs/a.md"), "사과는 빨갛다.");
  const editedMs = await until(async () => (await found("사과")).includes("빨갛다"));
  await writeFile(folder.file("docs/b.pdf"), pdf("바나나는 노랗다."));
  const pdfMs = await until(async () => (await found("바나나")).includes("b.pdf"));
  await rm(folder.file("docs/a.md"));
  await until(async () => !(await found("사과")).includes("a.md"));
  // The promise is 2 s; a busy machine may take longer.
  console.info(`edit found after ${Math.round(editedMs)} ms, new PDF after ${Math.round(pdfMs)} ms`);
  expect(Math.max(editedMs, pdfMs)).toBeLessThan(6_000);
  server.kill("SIGINT");
  expect(await finished).toSatisfy(endedWell);
  const documentsOf = async (...tenant: string[]) =>
    JSON.parse((await ragline(folder.path, "status", "--json", ...tenant)).stdout).documents;
  expect([await documentsOf("--tenant", "새길법무"), await documentsOf()]).toEqual([1, 0]);
});

it("a folder is for a group: by index, again, and while it is watched; who names groups keeps them; without it again it is everyone's", {
  timeout: 60_000,
}, async () => {
  await writeFile(folder.file("docs/pay.pdf"), pdf("급여는 25일에 나온다."));
  await writeFile(folder.file("docs/plan.md"), "---\ngroups: [경영진]\n---\n# 계획\n\n내년에 매장을 연다.");
  const group = ["--group", "인사팀"];
  const counted = async (...groups: string[]) => {
    const as = groups.flatMap((name) => ["--group", name]);
    return JSON.parse((await ragline(folder.path, "status", "--json", ...as)).stdout).documents;
  };
  const seen = async () => [await counted(), await counted("인사팀"), await counted("경영진"), await counted("영업팀")];
  expect((await ragline(folder.path, "index", "docs", ...group)).stdout).toContain("2 added");
  expect(await seen()).toEqual([0, 1, 1, 0]);
  expect((await ragline(folder.path, "index", "docs", ...group)).stdout).toContain("2 unchanged");
  const server = start(folder.path, ["serve", "--port", "0", "--watch", "docs", ...group]);
  const finished = finish(server);
  await printed(server, /listening on \S+;[\s\S]*2 unchanged/);
  await writeFile(folder.file("docs/bonus.txt"), "상여금은 연말에 나온다.");
  await until(async () => (await counted("인사팀")) === 2);
  expect(await counted()).toBe(0);
  server.kill("SIGINT");
  expect(await finished).toSatisfy(endedWell);
  expect((await ragline(folder.path, "index", "docs")).stdout).toContain("2 changed, 1 unchanged");
  expect(await seen()).toEqual([2, 2, 3, 2]);
});

it.each(["index docs", "ask 휴가는?", "status", "serve --watch docs"])(
  "%s: a group's name that is too long is refused",
  async (command) => {
    const long = await ragline(folder.path, ...command.split(" "), "--group", "hr", "--group", "a".repeat(129));
    expect(long).toMatchObject({ code: 2, stderr: expect.stringMatching(/^ragline: --group\.1: .*128/) });
  },
);

it.each(["--group=hr", "--prune"])("serve %s without --watch is refused: nothing would come of it", async (option) => {
  const name = option.split("=")[0];
  const refused = await ragline(folder.path, "serve", "--port", "0", option);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(`^ragline: ${name}: .*--watch`) });
});

it("serve --watch outlives whoever read its output: a change is taken up, and then another", {
  timeout: 60_000,
}, async () => {
  await writeFile(folder.file("docs/a.md"), "포도는 보랏빛이다.");
  const server = start(folder.path, ["serve", "--port", "0", "--watch", "docs"]);
  const ended = new Promise((done) => server.once("exit", done));
  const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);[\s\S]*1 added/))?.[1];
  server.stdout?.destroy();
  server.stderr?.destroy();
  for (const fruit of ["사과", "바나나"]) {
    await writeFile(folder.file("docs/a.md"), `${fruit}는 달다.`);
    await until(async () => (await (await postJson(`${url}/v1/search`, { query: fruit })).text()).includes("달다"));
    // Its report is written after the change is found.
    await sleep(300);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  }
  server.kill("SIGTERM");
  expect(await ended).toBe(0);
});
