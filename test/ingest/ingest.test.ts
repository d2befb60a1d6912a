import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { RaglineError } from "../../src/errors.ts";
import { type IngestOptions, ingest, ingestDocument } from "../../src/ingest/ingest.ts";
import { readDocument } from "../../src/ingest/load.ts";
import { lines, makePdf } from "../support/pdf.ts";
import { memoryIndex, recordingEmbedder } from "./fakes.ts";
import { folderForEachTest } from "./files.ts";

const counter = await createO200kCounter();
const chunk = { targetTokens: 64, overlapTokens: 16 };
const scope = { tenant: "t", collection: "c", groups: [] };

const folder = folderForEachTest();
const { write } = folder;

function setup(embedder = recordingEmbedder()) {
  const memory = memoryIndex();
  const stages = { index: memory.index, embedder: embedder.embedder, counter };
  const run = (options: Partial<IngestOptions> = {}, sources: readonly string[] = [folder.path()]) =>
    ingest(sources, stages, { scope, chunk, prune: false, signal: new AbortController().signal, ...options });
  return { ...memory, ...embedder, stages, run };
}

const counts = ({ added, changed, unchanged, removed }: Awaited<ReturnType<typeof ingest>>) => [
  added,
  changed,
  unchanged,
  removed,
];

test("what of a file was not read is told each time, and not stored", async () => {
  await write("a.pdf", makePdf([lines(["글이 있다."], { x: 50, y: 700 }), []]));
  const { run, documents } = setup();
  for (const counted of [
    [1, 0, 0, 0],
    [0, 0, 1, 0],
  ]) {
    const report = await run();
    expect(counts(report)).toEqual(counted);
    expect(report.notices).toMatchObject([{ documentId: "a.pdf", reason: "1 of 2 pages have no text (scanned?): 2" }]);
  }
  expect(documents.get("a.pdf")).not.toHaveProperty("notice");
});

describe("incremental", () => {
  test("a second run changes nothing; only what changed is indexed again", async () => {
    await write("a.md", "# 휴가\n\n15일");
    await write("b.md", "# 퇴직금\n\n30일분");
    const { run, log, documents } = setup();
    expect(counts(await run())).toEqual([2, 0, 0, 0]);
    expect(counts(await run())).toEqual([0, 0, 2, 0]);
    await write("b.md", "# 퇴직금\n\n31일분");
    expect(counts(await run())).toEqual([0, 1, 1, 0]);
    expect(log).toEqual(["a.md", "b.md", "b.md"]);
    expect(documents.get("b.md")?.stored).toMatchObject([
      { text: "31일분", headings: [], tokens: counter.count("31일분") },
    ]);
  });

  test("a file that was indexed with its folder, and then by itself, stays one document; and the other way round", async () => {
    await write("총무/사물함.md", "사물함은 1만 원입니다.");
    await write("사물함.md", "본사에는 사물함이 없습니다.");
    const { run, documents } = setup();
    const itself = [join(folder.path(), "총무/사물함.md")];
    await run();
    await write("총무/사물함.md", "사물함은 2만 원입니다.");
    expect(counts(await run({}, itself))).toEqual([0, 1, 0, 0]);
    expect(counts(await run({}, itself))).toEqual([0, 0, 1, 0]);
    expect([...documents.keys()].sort()).toEqual(["사물함.md", "총무/사물함.md"]);
    expect(documents.get("총무/사물함.md")?.stored).toMatchObject([{ text: "사물함은 2만 원입니다." }]);

    await run({}, [join(folder.path(), "총무")]);
    expect(documents.size).toBe(2);

    await rm(join(folder.path(), "사물함.md"));
    const above = setup();
    await above.run({}, itself);
    expect(counts(await above.run())).toEqual([0, 1, 0, 0]);
    expect([...above.documents.keys()]).toEqual(["총무/사물함.md"]);
  });

  test("another chunk size indexes everything again", async () => {
    await write("a.md", "본문");
    const { run } = setup();
    await run();
    expect(counts(await run({ chunk: { targetTokens: 32, overlapTokens: 0 } }))).toEqual([0, 1, 0, 0]);
  });

  test("another embedder does not pass for unchanged", async () => {
    await write("a.md", "본문");
    const { run, stages } = setup();
    await run();
    const options = { scope, chunk, prune: false, signal: new AbortController().signal };
    const other = { ...stages, embedder: { ...stages.embedder, model: "other/2" } };
    await expect(ingest([folder.path()], other, options)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/test\/2.*other\/2/),
    });
  });

  test("a document for a group is recognised though the indexer is not in it", async () => {
    await write("a.md", "---\ngroups: [hr]\n---\n본문");
    const { run } = setup();
    await run();
    expect(counts(await run())).toEqual([0, 0, 1, 0]);
  });

  test("title, headings and text are embedded; nothing to embed gives no vector", async () => {
    await write("a.md", "# 휴가 규정\n\n## 연차\n\n해마다 15일이다.");
    await write("b.md", "없음");
    const { run, batches, documents } = setup();
    await run();
    expect(batches.flat()).toContain("휴가 규정\n연차\n해마다 15일이다.");
    expect(documents.get("a.md")?.stored[0]?.vector).toEqual(new Float32Array([1, 0]));
    expect(documents.get("b.md")?.stored[0]?.vector).toBeNull();
  });

  test("texts of many documents are embedded together and written side by side, both bounded", async () => {
    await write(
      "c.jsonl",
      Array.from({ length: 300 }, (_, i) => JSON.stringify({ id: `d${i}`, text: `본문 ${i}` })).join("\n"),
    );
    const { run, batches, active } = setup();
    const report = await run();
    expect(report.passages).toBe(300);
    expect(Math.max(...batches.map((batch) => batch.length))).toBe(64);
    expect(batches.length).toBeLessThan(30);
    expect(active.most).toBeGreaterThan(8);
    expect(active.most).toBeLessThanOrEqual(64);
  });
});

describe("failures", () => {
  test("are reported by name, and the rest goes on", async () => {
    await write("a.md", "본문");
    await write("bad.md", Buffer.from([0x61, 0xff, 0x20]));
    await write("no.jsonl", '{"id":"x","text":"본문","refuse":true}');
    const { run } = setup();
    const report = await run();
    expect(counts(report)).toEqual([1, 0, 0, 0]);
    expect(report.failures.map(({ reason }) => reason)).toEqual([
      "is not valid UTF-8, nor certainly EUC-KR (CP949) or UTF-16: save it as UTF-8",
      "was refused by the index: metadata.refuse: not here",
    ]);
  });

  test("of two sources with the same id the first wins, and both are named", async () => {
    const first = await write("one/a.md", "하나");
    const second = await write("two/a.md", "둘");
    const { run, documents } = setup();
    const report = await run({}, [join(folder.path(), "one"), join(folder.path(), "two")]);
    expect(report.failures).toEqual([
      {
        path: second,
        documentId: "a.md",
        reason: `has the document id "a.md", which ${first} has too: only the first is indexed`,
      },
    ]);
    expect(documents.get("a.md")?.stored[0]?.text).toBe("하나");
  });

  test("of two lines with the same id the first wins, and the second is named", async () => {
    const path = await write("a.jsonl", '{"id":1,"text":"하나"}\n{"id":"1","text":"둘"}');
    const { run, documents } = setup();
    const { failures } = await run();
    expect(failures).toEqual([
      {
        path: `${path}:2`,
        documentId: "1",
        reason: `has the document id "1", which ${path} has too: only the first is indexed`,
      },
    ]);
    expect(documents.get("1")?.stored[0]?.text).toBe("하나");
  });

  test("of the index end the run", async () => {
    await write("a.md", "본문");
    const { stages } = setup();
    const away = () => Promise.reject(new RaglineError("dependency_failed", "index: away"));
    const index = { ...stages.index, replace: away } as typeof stages.index;
    const options = { scope, chunk, prune: false, signal: new AbortController().signal };
    await expect(ingest([folder.path()], { ...stages, index }, options)).rejects.toMatchObject({
      code: "dependency_failed",
    });
  });

  test("of the embedder end the run; what was written stays", async () => {
    await write("a.md", "본문");
    const { run } = setup(recordingEmbedder(() => Promise.reject(new RaglineError("dependency_failed", "embed: no"))));
    await expect(run()).rejects.toMatchObject({ code: "dependency_failed" });
  });
});

describe("documents of groups that whoever indexes does not belong to", () => {
  const row = (id: string, groups: readonly string[]) => JSON.stringify({ id, text: "본문", groups });

  test("are pruned like any other, however they came", async () => {
    await write("c.jsonl", [row("open", []), row("1", ["hr"]), row("2", ["board", "hr"])].join("\n"));
    const gone = await write("gone.md", "---\ngroups: [legal]\n---\n본문");
    const { run, documents, index } = setup();
    await run();
    const uploaded = { id: "uploaded", title: "", hash: "", metadata: {}, groups: ["hr"] };
    await index.replace(scope, uploaded, [], { signal: new AbortController().signal });
    await write("c.jsonl", [row("open", []), row("2", ["board", "hr"])].join("\n"));
    await rm(gone);
    expect(counts(await run({ prune: true }))).toEqual([0, 0, 2, 3]);
    expect([...documents.keys()].sort()).toEqual(["2", "open"]);
  });

  test("which a caller who names groups may not read are not pruned", async () => {
    await write("c.jsonl", [row("1", ["hr"]), row("2", ["board"]), row("3", ["hr"])].join("\n"));
    const { run, documents } = setup();
    await run();
    await write("c.jsonl", row("1", ["hr"]));
    expect(counts(await run({ prune: true, scope: { ...scope, groups: ["hr", "hr"] } }))).toEqual([0, 0, 1, 1]);
    expect([...documents.keys()].sort()).toEqual(["1", "2"]);
  });

  test("count as changed where others may read them from then on", async () => {
    await write("c.jsonl", row("1", ["hr"]));
    const { run, documents } = setup();
    await run();
    for (const groups of [[], ["legal"], ["hr"]]) {
      await write("c.jsonl", row("1", groups));
      expect(counts(await run())).toEqual([0, 1, 0, 0]);
      expect(documents.get("1")?.groups).toEqual(groups);
    }
  });
});

describe("prune", () => {
  test("deletes what the sources do not have any more, only when asked", async () => {
    const gone = await write("gone.md", "지난 규정");
    await write("a.md", "본문");
    const { run, documents } = setup();
    await run();
    await rm(gone);
    expect(counts(await run())).toEqual([0, 0, 1, 0]);
    expect(counts(await run({ prune: true }))).toEqual([0, 0, 1, 1]);
    expect([...documents.keys()]).toEqual(["a.md"]);
  });

  test("keeps the document of a file that cannot be read now", async () => {
    await write("a.md", "본문");
    await write("b.md", "본문");
    await write("gone.md", "본문");
    const { run, documents } = setup();
    await run();
    await write("a.md", Buffer.from([0xff]));
    await rm(join(folder.path(), "gone.md"));
    expect(counts(await run({ prune: true }))).toEqual([0, 0, 1, 1]);
    expect([...documents.keys()]).toEqual(["a.md", "b.md"]);
  });

  test("deletes the document of a file that was emptied, and still says that it has no text", async () => {
    await write("a.md", "본문");
    await write("b.md", "본문");
    const { run, documents } = setup();
    await run();
    await write("a.md", "");
    expect(counts(await run())).toEqual([0, 0, 1, 0]);
    const report = await run({ prune: true });
    expect(counts(report)).toEqual([0, 0, 1, 1]);
    expect(report.failures).toMatchObject([{ documentId: "a.md", reason: "has no text" }]);
    await write("b.md", " \n\t\n");
    expect(counts(await run({ prune: true }))).toEqual([0, 0, 0, 1]);
    expect(documents.size).toBe(0);
  });

  test("keeps what cannot be read, under whatever id it is stored", async () => {
    const path = await write("a/x.md", "본문");
    const other = await write("a/y.md", "다른 본문");
    const { run, documents } = setup();
    await run();
    await writeFile(path, Buffer.from([0xff, 0xfe, 0x00]));
    const report = await run({ prune: true }, [path, other]);
    expect(report.failures).toMatchObject([{ documentId: "x.md" }]);
    expect([...documents.keys()].sort()).toEqual(["a/x.md", "a/y.md"]);
  });

  test("of JSONL deletes a document whose text is empty, not one whose line has none", async () => {
    const rows = (first: string, second: string) => write("c.jsonl", `{"id":"1"${first}}\n{"id":"2"${second}}\n`);
    await rows(',"text":"하나"', ',"text":"둘"');
    const { run, documents } = setup();
    await run();
    await rows("", ',"text":" "');
    expect(counts(await run({ prune: true }))).toEqual([0, 0, 0, 1]);
    expect([...documents.keys()]).toEqual(["1"]);
  });

  test("does nothing where a failure may hide documents, and says so", async () => {
    await write("c.jsonl", '{"id":"1","text":"하나"}\n{"id":"2","text":"둘"}');
    const { run, documents } = setup();
    await run();
    await write("c.jsonl", '{"id":"1","text":"하나"}\n{"id":"2"');
    const report = await run({ prune: true });
    expect(report.pruneSkipped).toMatch(/c\.jsonl:2 is not valid JSON/);
    expect(documents.size).toBe(2);
    const missing = await run({ prune: true }, [join(folder.path(), "nowhere")]);
    expect(missing.pruneSkipped).toMatch(/nowhere does not exist/);
    expect(documents.size).toBe(2);
  });
});

test("prune of empty sources does not delete everything", async () => {
  const path = await write("a.md", "본문");
  const { run, documents } = setup();
  await run();
  await rm(path);
  expect((await run({ prune: true })).pruneSkipped).toMatch(/no document/);
  expect(documents.size).toBe(1);
});

test("a document that is no file does not ask what else is stored", async () => {
  const { stages } = setup();
  const index = { ...stages.index, status: () => Promise.reject(new Error("away")) } as typeof stages.index;
  const document = readDocument({ id: "a", text: "본문", format: "text" });
  const options = { scope, chunk, signal: new AbortController().signal };
  expect(await ingestDocument(document, { ...stages, index }, options)).toMatchObject({ changed: true });
});

describe("running", () => {
  test("an abort ends it at once, even when the embedder does not listen", async () => {
    await write("a.md", "본문");
    const { run } = setup(recordingEmbedder(() => new Promise(() => {})));
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const startedAt = performance.now();
    await expect(run({ signal: controller.signal })).rejects.toMatchObject({ code: "cancelled" });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test("progress counts up to everything", async () => {
    const content = Array.from({ length: 100 }, (_, i) => JSON.stringify({ id: `d${i}`, text: "본문" })).join("\n");
    await write("c.jsonl", content);
    const seen: number[] = [];
    let documents = 0;
    const { run } = setup();
    await run({
      onProgress: (progress) => {
        seen.push(progress.bytes);
        documents = progress.documents;
      },
    });
    expect(documents).toBe(100);
    expect(seen.at(-1)).toBe(Buffer.byteLength(content));
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  test("the event loop is served meanwhile", async () => {
    await write("big.md", "근로자의 퇴직금은 30일분이다. ".repeat(60_000));
    const { run } = setup();
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    await run();
    clearInterval(timer);
    expect(longest).toBeLessThan(400);
  });
});

describe("one document", () => {
  test("without an id is refused", () => {
    expect(() => readDocument({ id: " ", text: "본문", format: "text" })).toThrow(/has an empty id/);
  });

  test("is indexed once, and again when it changed", async () => {
    const { stages, documents } = setup();
    const options = { scope, chunk, signal: new AbortController().signal };
    const document = readDocument({ id: "memo", text: "# 공지\n\n본문", format: "markdown" });
    expect(await ingestDocument(document, stages, options)).toEqual({ changed: true, passages: 1, openPassages: 1 });
    expect(await ingestDocument(document, stages, options)).toEqual({ changed: false, passages: 1, openPassages: 0 });
    const next = readDocument({ id: "memo", text: "# 공지\n\n새 본문", format: "markdown" });
    expect(await ingestDocument(next, stages, options)).toEqual({ changed: true, passages: 1, openPassages: 1 });
    expect(documents.get("memo")).toMatchObject({ title: "공지", stored: [{ text: "새 본문" }] });
  });
});
