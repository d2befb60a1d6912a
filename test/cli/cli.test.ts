import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { WholeAnswer } from "../../src/index.ts";
import { temporaryFolder } from "../support/folder.ts";
import { endedWell, finish, printed, ragline, start } from "./run.ts";

let folder: ReturnType<typeof temporaryFolder>;
let cwd: string;

beforeEach(async () => {
  folder = temporaryFolder();
  cwd = folder.path;
  await writeDocuments(cwd);
});

afterEach(() => folder.remove());

async function writeDocuments(path: string): Promise<void> {
  const docs = join(path, "docs");
  await mkdir(docs);
  await writeFile(join(docs, "휴가.md"), "---\nlang: ko\nyear: 2026\n---\n# 휴가\n\n연차휴가는 1년에 15일입니다.\n");
  await writeFile(
    join(docs, "expenses.md"),
    "---\nlang: en\nyear: 2024\n---\n# Expenses\n\nReceipts are due within 30 days.\n",
  );
}

describe("ragline index", () => {
  it("indexes a folder, skips what is unchanged, and prunes what is gone", async () => {
    expect(await ragline(cwd, "index", "docs")).toMatchObject({ code: 0, stdout: expect.stringContaining("2 added") });
    expect((await ragline(cwd, "index", "docs")).stdout).toContain("0 added, 0 changed, 2 unchanged");
    await writeFile(folder.file("docs/휴가.md"), "# 휴가\n\n연차휴가는 1년에 16일입니다.\n");
    await rm(folder.file("docs/expenses.md"));
    expect((await ragline(cwd, "index", "docs", "--prune")).stdout).toContain("1 changed, 0 unchanged, 1 removed");
    const { stdout } = await ragline(cwd, "status", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ documents: 1, passages: 1, indexedWith: "static-ko-en/256" });
  });

  it("a tenant's documents are its own, and a group's are for who asks as one of it", async () => {
    await writeFile(folder.file("docs/pay.md"), "---\ngroups: [인사팀]\n---\n# 급여\n\n급여 인상률은 7퍼센트입니다.\n");
    const acme = ["--tenant", "에이스 주식회사"];
    expect(await ragline(cwd, "index", "docs", ...acme)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("3 added"),
    });
    expect(await ragline(cwd, "status")).toMatchObject({ code: 1 });
    const status = await ragline(cwd, "status", ...acme, "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({ tenant: "에이스 주식회사", documents: 2 });
    const all = await ragline(cwd, "status", ...acme, "--group", "인사팀", "--json");
    expect(JSON.parse(all.stdout)).toMatchObject({ documents: 3, missing: [] });
    const question = "급여 인상률은 몇 퍼센트인가요?";
    expect(await ragline(cwd, "ask", question)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing is indexed"),
    });
    const asked = async (...as: string[]) => (await ragline(cwd, "ask", question, ...acme, "--json", ...as)).stdout;
    expect(await asked()).not.toContain("7퍼센트");
    expect(await asked("--group", "영업팀", "--group", "인사팀")).toContain("7퍼센트");
    for (const command of [["index", "docs"], ["status"], ["ask", question], ["reindex"]]) {
      const refused = await ragline(cwd, ...command, "--tenant", "");
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/^ragline: --tenant: /) });
    }
  });

  it("status exits with 0 only where questions can be answered, and says what is missing", async () => {
    const nothing = await ragline(cwd, "status");
    expect(nothing).toMatchObject({ code: 1, stdout: expect.stringContaining("not ready: search: no documents") });
    await ragline(cwd, "index", "docs", "--collection", "other");
    expect(await ragline(cwd, "status", "--collection", "other")).toMatchObject({ code: 0 });
    const named = { code: 2, stderr: expect.stringContaining("ragline: collection: must be letters") };
    expect(await ragline(cwd, "status", "--collection", "no name")).toMatchObject(named);
    expect(await ragline(cwd, "status")).toMatchObject({ code: 1 });
    await writeFile(
      folder.file("away.yaml"),
      'search: { use: opensearch, url: "http://127.0.0.1:9", timeoutMs: 500 }\nsession: { use: sqlite }\n',
    );
    for (const json of [[], ["--json"]]) {
      const away = await ragline(cwd, "--config", "away.yaml", "status", ...json);
      expect(away.code).toBe(1);
      expect(away.stdout).toMatch(json.length > 0 ? /"missing":\["search: / : /^not ready: search: /m);
    }
  });

  it("status prints what vectors weigh in fusion, by language", async () => {
    await ragline(cwd, "index", "docs");
    const { stdout } = await ragline(cwd, "status");
    expect(stdout).toMatch(/^fusion learned: /m);
    for (const language of ["ko", "en", "other"]) {
      expect(stdout).toMatch(new RegExp(`^  ${language} +\\d\\.\\d\\d to \\d\\.\\d\\d`, "m"));
    }
  });

  it("reports an unreadable file by name and reason, indexes the rest, and exits with 1", async () => {
    await writeFile(folder.file("docs/broken.md"), Buffer.from([0x23, 0x20, 0xff, 0xfe, 0x00]));
    const { code, stdout, stderr } = await ragline(cwd, "index", "docs");
    expect(code).toBe(1);
    expect(stdout).toContain("2 added");
    expect(stdout).toContain("1 failed");
    expect(stderr).toMatch(/failed: docs\/broken\.md: .+/);
  });

  it("refuses a file of another folder with the id of one that is still there, and takes it once that has gone", async () => {
    await ragline(cwd, "index", "docs");
    await mkdir(folder.file("other"));
    await writeFile(folder.file("other/휴가.md"), "# 휴가\n\n다른 회사의 휴가는 20일입니다.\n");
    const { code, stdout, stderr } = await ragline(cwd, "index", "other");
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining("0 changed, 0 unchanged, 1 failed") });
    expect(stderr).toMatch(
      /other\/휴가\.md: has the document id "휴가\.md", which .*docs\/휴가\.md has too: .*another collection/,
    );
    expect((await ragline(cwd, "ask", "연차휴가는 며칠인가요?")).stdout).toContain("15일");
    await rm(folder.file("docs/휴가.md"));
    expect((await ragline(cwd, "index", "other")).stdout).toContain("1 changed");
  });

  it("says in one line that a folder is missing", async () => {
    const { code, stderr } = await ragline(cwd, "index", "nowhere");
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("nowhere");
  });
});

describe("ragline ask", () => {
  const indexed = temporaryFolder();
  beforeAll(async () => {
    await writeDocuments(indexed.path);
    await ragline(indexed.path, "index", "docs");
  });
  afterAll(() => indexed.remove());
  beforeEach(() => {
    cwd = indexed.path;
  });

  it("prints a cited answer with its sources, and one JSON object with --json", async () => {
    const { code, stdout } = await ragline(cwd, "ask", "연차휴가는 며칠인가요?", "--timings");
    expect(code).toBe(0);
    expect(stdout).toContain("연차휴가는 1년에 15일입니다. [1]");
    expect(stdout).toContain("[1] 휴가  (휴가.md)");
    expect(stdout).toMatch(/search +▇+ +[\d.]+ ms/);
    const answer = JSON.parse((await ragline(cwd, "ask", "When are receipts due?", "--json")).stdout) as WholeAnswer;
    expect(answer).toMatchObject({ finishReason: "stop", text: "Receipts are due within 30 days. [1]" });
  });

  it("goes on with a session, keeps to a filter, and takes --top", { timeout: 60_000 }, async () => {
    await ragline(cwd, "ask", "연차휴가는 며칠인가요?", "--session", "s1");
    const json = async (...args: string[]) =>
      JSON.parse((await ragline(cwd, "ask", ...args, "--json")).stdout) as WholeAnswer;
    expect((await json("언제까지요?", "--session", "s1")).query).toBe("연차휴가 언제까지요?");
    const filtered = await json("휴가 receipts", "--filter", "lang=en", "--filter", "year<2026");
    expect(filtered.sources.map(({ documentId }) => documentId)).toEqual(["expenses.md"]);
    expect((await json("휴가 receipts", "--top", "1")).sources).toHaveLength(1);
  });

  it("names the field that no document has", async () => {
    const open = await ragline(cwd, "ask", "휴가?", "--filter", "year>=");
    expect(open.code).not.toBe(0);
    expect(open.stderr).toContain('--filter: "year>=" has no value after >=');
    const { code, stderr } = await ragline(cwd, "ask", "휴가?", "--filter", "colour=red");
    expect(code).toBe(2);
    expect(stderr).toMatch(/filter\.colour.*lang.*year/);
  });

  it("says that it does not know where nothing supports an answer", async () => {
    expect((await ragline(cwd, "ask", "스톡옵션은 언제 행사하나요?")).stdout).toContain("답을 찾지 못했습니다");
  });
});

describe("ragline serve and demo", () => {
  it("serves until SIGTERM and exits with 0", async () => {
    await ragline(cwd, "index", "docs");
    const server = start(cwd, ["serve", "--port", "0"]);
    const finished = finish(server);
    const text = await printed(server, /listening on (\S+);/);
    const url = /listening on (\S+);/.exec(text)?.[1];
    const response = await fetch(`${url}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question: "연차휴가는 며칠인가요?" }),
    });
    expect(await response.text()).toContain("15일");
    server.kill("SIGTERM");
    const ended = await finished;
    expect(ended).toSatisfy(endedWell);
    expect(ended.stderr).toContain("stopped by SIGTERM");
  });

  it("says in one line that the port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((done) => other.once("listening", done));
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await ragline(cwd, "serve", "--port", String(port));
    other.close();
    expect(code).toBe(2);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(`127.0.0.1:${port} is taken`);
  });

  it("runs the demo, answers over HTTP, and stops cleanly on Ctrl-C", async () => {
    const demo = start(cwd, ["demo", "--port", "0"]);
    const finished = finish(demo);
    const text = await printed(demo, /curl -N (\S+)/);
    expect(text).toMatch(/영수증[^\n]*5영업일[^\n]*\[\d\]/);
    const url = /curl -N (\S+)/.exec(text)?.[1] ?? "";
    expect((await fetch(url.replace("/v1/ask", "/readyz"))).status).toBe(200);
    demo.kill("SIGINT");
    expect(await finished).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("usage and configuration", () => {
  it("lists every problem of a broken configuration with its path, and exits with 2", async () => {
    await writeFile(
      folder.file("ragline.yaml"),
      'serve: {}\nserver: { port: 99999 }\nsession: { use: "${NOT_SET}" }\n',
    );
    const unset = await ragline(cwd, "status");
    expect(unset).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("session.use: the environment variable NOT_SET"),
    });
    await writeFile(folder.file("ragline.yaml"), "serve: {}\nserver: { port: 99999 }\n");
    const { code, stderr } = await ragline(cwd, "status");
    expect(code).toBe(2);
    expect(stderr).toContain("server.port");
    expect(stderr).toContain("serve: there is no such key; did you mean server?");
    await writeFile(folder.file("ragline.yaml"), "a: [");
    expect(await ragline(cwd, "status")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("not readable as YAML"),
    });
    expect(await ragline(cwd, "status", "--config", "none.yaml")).toMatchObject({ code: 2 });
  });

  it("takes the answering model from the environment", async () => {
    const { stdout } = await finish(
      start(cwd, ["status", "--json"], { OPENAI_BASE_URL: "http://127.0.0.1:9/v1", OPENAI_MODEL: "m" }),
    );
    expect(JSON.parse(stdout)).toMatchObject({ stages: { rewrite: "model", generate: "m" } });
  });

  it.each([["nonsense"], ["ask"], ["ask", "q", "--top", "zero"], ["index"], ["serve", "--port", "70000"], ["--nope"]])(
    "exits with 2 on wrong usage: %s",
    async (...args) => {
      expect((await ragline(cwd, ...args)).code).toBe(2);
    },
  );

  it.each([
    [
      ["load", "--ratee", "5"],
      ["unknown option '--ratee'", "Did you mean --rate?", "ragline load --help"],
    ],
    [
      ["load", "--rate", "x"],
      ["'x' is invalid. It must be a number from 0.001 to 100000.", "ragline load --help"],
    ],
    [
      ["serve", "--port", "70000"],
      ["It must be a whole number from 0 to 65535.", "ragline serve --help"],
    ],
    [
      ["models", "pul", "x"],
      ["unknown command 'pul'", "Did you mean pull?", "ragline models --help"],
    ],
    [
      ["models", "pull"],
      ["missing required argument 'name'", "ragline models pull --help"],
    ],
    [
      ["migrate", "--to", "a"],
      ["required option '--from <config>'", "ragline migrate --help"],
    ],
    [["statsu"], ["Did you mean status?", "ragline --help"]],
  ])("says what is wrong, what was likely meant and where to read on, and no more: %j", async (args, said) => {
    const { code, stdout, stderr } = await ragline(cwd, ...args);
    expect([code, stdout]).toEqual([2, ""]);
    for (const what of said) expect(stderr).toContain(what);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
  });

  it("eval leaves no temporary folder behind, though its configuration is refused", async () => {
    const set = join(cwd, "set");
    const temporary = join(cwd, "tmp");
    await mkdir(set);
    await mkdir(temporary);
    await writeFile(join(set, "corpus.jsonl"), '{"id": "p1", "title": "휴가", "text": "15일"}\n');
    await writeFile(join(set, "queries.jsonl"), '{"id": "q1", "text": "연차?"}\n');
    await writeFile(join(set, "qrels.tsv"), "query-id\tcorpus-id\tscore\nq1\tp1\t1\n");
    await writeFile(join(cwd, "ragline.yaml"), "search: { top: none }\n");
    const { code, stderr } = await finish(start(cwd, ["eval", "set"], { TMPDIR: temporary }));
    expect({ code, stderr, left: await readdir(temporary) }).toEqual({
      code: 2,
      stderr: expect.stringContaining("search.top"),
      left: [],
    });
  });

  it("extract reads questions as load does, and so refuses another encoding", async () => {
    await writeFile(join(cwd, "q.txt"), Buffer.from([0xbf, 0xac, 0xc2, 0xf7, 0x3f])); // 연차? in CP949
    const { code, stderr } = await ragline(cwd, "extract", "embed", "--to", "127.0.0.1:1", "--questions", "q.txt");
    expect({ code, stderr }).toEqual({ code: 2, stderr: "ragline: --questions: q.txt is not UTF-8\n" });
  });

  it("says what the system refused, without a stack", async () => {
    const { code, stderr } = await finish(start(cwd, ["demo", "--once"], { TMPDIR: join(cwd, "none") }));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ragline: ENOENT: no such file or directory, mkdtemp '[^']*none[^']*'\n$/);
  });

  it("explains itself, and exits with 0", async () => {
    const { code, stdout } = await ragline(cwd, "--help");
    expect(code).toBe(0);
    for (const word of ["demo", "index", "ask", "serve", "status", "eval", "Exit codes"])
      expect(stdout).toContain(word);
  });

  it.each(["index", "ask", "serve", "status", "load", "bottleneck"])("names no empty default: %s", async (command) => {
    const { stdout } = await ragline(cwd, command, "--help");
    expect(stdout).toContain("--help");
    expect(stdout).not.toContain("[]");
  });
});
