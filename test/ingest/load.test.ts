import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { measureSources } from "../../src/ingest/files.ts";
import { type LoadOptions, type LoadResult, loadDocuments } from "../../src/ingest/load.ts";
import { folderForEachTest } from "./files.ts";

const folder = folderForEachTest();
const { write } = folder;

async function load(sources: readonly string[], options: Partial<LoadOptions> = {}): Promise<LoadResult[]> {
  const results: LoadResult[] = [];
  for await (const result of loadDocuments(sources, { signal: new AbortController().signal, ...options })) {
    results.push(result);
  }
  return results;
}

const documents = (results: readonly LoadResult[]) =>
  results.flatMap((result) => ("document" in result ? [result.document] : []));
const failures = (results: readonly LoadResult[]) =>
  results.flatMap((result) => ("failure" in result ? [result.failure] : []));
const ids = (results: readonly LoadResult[]) => documents(results).map(({ id }) => id);

const NOT_UTF8 = "is not valid UTF-8, nor certainly EUC-KR (CP949) or UTF-16: save it as UTF-8";

describe("folders, files and globs", () => {
  test("a folder is walked in order; dot files, node_modules and unknown formats are left out", async () => {
    for (const path of [
      "b/규정.md",
      "b/a.txt",
      "a.html",
      "c.markdown",
      ".hidden.md",
      ".git/x.md",
      "node_modules/m.md",
      "i.png",
    ]) {
      await write(path, "본문");
    }
    const results = await load([folder.path()]);
    expect(failures(results)).toEqual([]);
    expect(ids(results)).toEqual(["a.html", "b/a.txt", "b/규정.md", "c.markdown"]);
    expect(documents(results).map(({ title }) => title)).toEqual(["a", "a", "규정", "c"]);
  });

  test("ids are NFC, whatever the file system keeps", async () => {
    await write("규정.txt".normalize("NFD"), "본문");
    expect(ids(await load([folder.path()]))).toEqual(["규정.txt"]);
  });

  test("a single file has its name for an id; a glob's ids are relative to its fixed part", async () => {
    const path = await write("docs/deep/a.md", "하나");
    await write("docs/b.md", "둘");
    expect(ids(await load([path]))).toEqual(["a.md"]);
    expect(ids(await load([join(folder.path(), "docs/**/*.md")]))).toEqual(["b.md", "deep/a.md"]);
    expect(ids(await load([path, join(folder.path(), "docs")]))).toEqual(["a.md", "b.md"]);
  });

  test("what was named but cannot be used is reported", async () => {
    const pdf = await write("a.xls", "x");
    const results = failures(await load([join(folder.path(), "none.md"), pdf, join(folder.path(), "*.xyz")]));
    expect(results.map(({ reason }) => reason)).toEqual([
      "does not exist",
      expect.stringContaining("format that is not supported (.md,"),
      "matches no file of a supported format",
    ]);
    expect(results.map(({ documentId }) => documentId)).toEqual([undefined, "a.xls", undefined]);
  });

  test("links never lead out of the folder or round in circles", async () => {
    const outside = await mkdtemp(join(tmpdir(), "ragline-outside-"));
    await writeFile(join(outside, "secret.md"), "비밀");
    const file = await write("in/a.md", "본문");
    await symlink(folder.path(), join(folder.path(), "in/loop"));
    await symlink(join(outside, "secret.md"), join(folder.path(), "out.md"));
    await symlink(outside, join(folder.path(), "outside"));
    await symlink(file, join(folder.path(), "alias.md"));
    await symlink(join(folder.path(), "gone.md"), join(folder.path(), "broken.md"));
    const results = await load([folder.path()]);
    await rm(outside, { recursive: true });
    expect(ids(results)).toEqual(["alias.md", "in/a.md"]);
    expect(
      failures(results).map(({ path, reason }) => [path.slice(folder.path().length + 1), reason.slice(0, 21)]),
    ).toEqual([
      ["broken.md", "is a link to nothing"],
      ["out.md", "is a link out of the "],
      ["outside", "is a link out of the "],
    ]);
  });

  test("sizes are measured without reading, and what is passed over is counted by how it ends", async () => {
    await write("a.md", "가");
    await write("b.txt", "abc");
    for (const name of ["prices.CSV", "more.csv", "LICENSE", ".hidden.csv"]) await write(name, "a,b");
    const { unsupported, ...sizes } = await measureSources([folder.path()], { signal: new AbortController().signal });
    expect(sizes).toEqual({ files: 2, bytes: 6 });
    expect([...unsupported]).toEqual(
      expect.arrayContaining([
        [".csv", 2],
        ["", 1],
      ]),
    );
    expect(unsupported.size).toBe(2);
  });
});

describe("content", () => {
  test.each([
    ["text in no known encoding", Buffer.from([0x63, 0xe9, 0x20, 0xff]), NOT_UTF8],
    [
      "a binary file",
      Buffer.from("PK\0\0x"),
      "is a binary file, or text in an encoding that is not recognised (UTF-8 always is)",
    ],
    ["an empty file", "", "has no text"],
    ["a file over the limit", "x".repeat(3_000_001), "is larger than the limit of 3 MB"],
    ["nesting without end", ">".repeat(100_000), "is nested too deeply to be parsed"],
  ])("%s is a failure by name, and the rest goes on", async (_, content, reason) => {
    await write("bad.md", content);
    await write("good.md", "본문");
    const results = await load([folder.path()], { fileBytesMax: 3_000_000 });
    expect(failures(results)).toEqual([
      { path: join(folder.path(), "bad.md"), documentId: "bad.md", reason, ...(content === "" && { isEmpty: true }) },
    ]);
    expect(ids(results)).toEqual(["good.md"]);
  });

  test("wide rules are not deep nesting", async () => {
    const path = await write("rules.md", `${"- ".repeat(300)}\n\n본문\n\n${"*".repeat(300)}\n`);
    expect(ids(await load([path]))).toEqual(["rules.md"]);
  });

  test("a byte order mark is not text", async () => {
    const path = await write("bom.md", "\ufeff---\ntitle: 제목\n---\n본문");
    expect(documents(await load([path]))).toMatchObject([{ title: "제목", blocks: [{ kind: "text", text: "본문" }] }]);
  });
});

describe("JSONL", () => {
  test("every line is a document; unknown fields are metadata", async () => {
    const rows = [
      {
        id: "근로기준법/제1조",
        title: "제1조 (목적)",
        text: "이 법은…",
        law: "근로기준법",
        url: "https://a.b",
        groups: ["hr"],
        year: 2027,
        tags: ["a"],
        none: null,
        deep: { a: 1 },
      },
      { id: 7, text: "제목 없음" },
      { id: "8", text: "둘", team: "a", metadata: { floor: 3, team: "b", title: "장" } },
      { id: "9", text: "셋", metadata: "문자" },
    ];
    const path = await write("corpus.jsonl", `\ufeff${rows.map((row) => JSON.stringify(row)).join("\r\n\r\n")}`);
    expect(documents(await load([path]))).toMatchObject([
      {
        id: "근로기준법/제1조",
        title: "제1조 (목적)",
        url: "https://a.b",
        groups: ["hr"],
        metadata: { law: "근로기준법", year: 2027, tags: ["a"] },
        blocks: [{ kind: "text", text: "이 법은…" }],
      },
      { id: "7", title: "7", metadata: {}, groups: [] },
      { id: "8", title: "8", metadata: { floor: 3, team: "b", title: "장" } },
      { id: "9", metadata: { metadata: "문자" } },
    ]);
  });

  test.each(["le", "be"])("may be UTF-16 %s with its mark, whatever the pieces it is read in", async (order) => {
    const rows = Array.from({ length: 3_000 }, (_, i) => `{"id":"${i}","text":"연차는 ${i}일이다 \u0a0d"}`).join(
      "\r\n",
    );
    const bytes = Buffer.from(`\ufeff${rows}`, "utf16le");
    const path = await write("windows.jsonl", order === "le" ? bytes : bytes.swap16());
    const read = documents(await load([path]));
    expect(read.map(({ id }) => id)).toEqual(Array.from({ length: 3_000 }, (_, i) => `${i}`));
    expect(read[2_999]?.blocks).toEqual([{ kind: "text", text: "연차는 2999일이다 \u0a0d" }]);
  });

  test("a broken line is one failure with its number, and the rest goes on", async () => {
    const lines = [
      '{"id":"1","text":"하나"}',
      "{broken",
      "[1]",
      '{"text":"x"}',
      '{"id":"5","content":"x"}',
      '{"id":"6","text":"x","groups":[1]}',
      `{"id":"7","text":"${"x".repeat(200_000)}"}`,
      '{"id":"8","text":"여덟"}',
      '{"id":9007199254740993,"text":"아홉"}',
      '{"id":"10","text":["열"]}',
    ];
    const bytes = Buffer.concat([Buffer.from(`${lines.join("\n")}\n`), Buffer.from([0x22, 0xff, 0x22])]);
    const path = await write("c.jsonl", bytes);
    const results = await load([path], { lineBytesMax: 100_000 });
    expect(ids(results)).toEqual(["1", "8"]);
    expect(failures(results)).toEqual([
      { path: `${path}:2`, reason: "is not valid JSON" },
      { path: `${path}:3`, reason: "is not a JSON object" },
      { path: `${path}:4`, reason: 'has no id (it has "text")' },
      { path: `${path}:5`, documentId: "5", reason: 'has no text under "text" (it has "id", "content")' },
      { path: `${path}:6`, documentId: "6", reason: "has groups that are not names" },
      { path: `${path}:7`, reason: "is larger than the limit of 0.1 MB" },
      {
        path: `${path}:9`,
        reason: "has an id that is a number beyond 2^53, which JSON does not keep exactly: write it as text",
      },
      { path: `${path}:10`, documentId: "10", reason: 'has something under "text" that is no text' },
      { path: `${path}:11`, reason: NOT_UTF8 },
    ]);
    const total = results.reduce((sum, { bytes: read }) => sum + read, 0);
    expect(total).toBe(bytes.length);
  });

  test("memory does not grow with the file", async () => {
    const row = (i: number) => `${JSON.stringify({ id: `d${i}`, text: `${i} ${"근로자의 퇴직금 ".repeat(300)}` })}\n`;
    const path = await write("big.jsonl", "");
    for (let i = 0; i < 10; i++) {
      await writeFile(path, Array.from({ length: 500 }, (_, j) => row(i * 500 + j)).join(""), { flag: "a" });
    }
    const heldAtMost = 40e6;
    let count = 0;
    let peak = 0;
    globalThis.gc?.();
    const before = process.memoryUsage();
    for await (const result of loadDocuments([path], { signal: new AbortController().signal })) {
      if ("document" in result) count++;
      if (count % 1_000 === 0) {
        globalThis.gc?.();
        const now = process.memoryUsage();
        peak = Math.max(peak, now.arrayBuffers - before.arrayBuffers);
      }
    }
    expect(count).toBe(5_000);
    expect(peak).toBeLessThan(heldAtMost);
  });

  test("an abort stops the reading", async () => {
    const path = await write("c.jsonl", Array.from({ length: 5_000 }, (_, i) => `{"id":"${i}","text":"x"}`).join("\n"));
    const controller = new AbortController();
    let count = 0;
    const reading = (async () => {
      for await (const _ of loadDocuments([path, path], { signal: controller.signal }))
        if (++count === 10) controller.abort();
    })();
    await expect(reading).rejects.toThrow("aborted");
    expect(count).toBeLessThan(5_000);
  });
});

describe("hostile text ends in good time, read or refused", () => {
  test.each([
    ["open brackets", "md", "[".repeat(100_000)],
    ["lists inside lists", "md", "- ".repeat(50_000)],
    ["numbered lists inside lists", "md", "1. ".repeat(60_000)],
    ["a deep quotation that goes on", "md", `${"> ".repeat(500)}a\n${"b\n".repeat(100_000)}`],
    ["no-break spaces", "md", "\u00a0".repeat(200_000)],
    ["a table of 5,000 columns", "md", `|${"a|".repeat(5_000)}\n|${"-|".repeat(5_000)}\n|${"b|".repeat(5_000)}`],
    ["emphasis", "md", "*a _b ".repeat(20_000)],
    ["underscores", "md", "a_".repeat(50_000)],
    ["links in links", "md", "[a](".repeat(25_000)],
    ["backticks", "md", Array.from({ length: 400 }, (_, i) => "`".repeat(i)).join(" ")],
    ["open tags", "md", "<div>\n\n".repeat(20_000)],
    ["reference definitions", "md", "[a]: b\n".repeat(20_000)],
    ["front matter", "md", `---\na: ${"[".repeat(50_000)}\n---\ntext`],
    ["indented lists", "md", Array.from({ length: 250 }, (_, i) => `${"  ".repeat(i)}- a`).join("\n")],
    ["nested <div>", "html", "<div>".repeat(50_000)],
    ["unclosed paragraphs", "html", `${"<p>".repeat(50_000)}${"</div>".repeat(50_000)}`],
    ["nested tables", "html", "<table><tr><td>".repeat(20_000)],
    ["attributes", "html", `<p ${"a=1 ".repeat(100_000)}>text`],
    ["an open comment", "html", "<!--".repeat(100_000)],
    ["open tags without end", "html", "<a ".repeat(100_000)],
    ["ampersands", "html", "&".repeat(200_000)],
  ])("%s in .%s", async (_, extension, content) => {
    const path = await write(`hostile.${extension}`, content);
    const startedAt = performance.now();
    expect(await load([path])).toHaveLength(1);
    // Each takes less than a second; what is quadratic takes minutes. The rest is for a machine that is busy elsewhere.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});
