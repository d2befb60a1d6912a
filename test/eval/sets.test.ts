import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CorpusEntry, readCorpus, readSet } from "../../src/eval/sets.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ragline-eval-"));
});

afterEach(() => rm(folder, { recursive: true }));

const write = (name: string, ...lines: string[]) => writeFile(join(folder, name), `${lines.join("\n")}\n`);

describe("evaluation sets", () => {
  test("reads judged queries, with grades, and the corpus", async () => {
    await write(
      "queries.jsonl",
      '{"id":"q1","text":"퇴직금은?","rewrite":"퇴직금은 언제 받나요?"}',
      "",
      '{"id":"q2","text":"unjudged"}',
    );
    await write("qrels.tsv", "query-id\tcorpus-id\tscore", "q1\td/1\t2", "q1\td/2\t1");
    await write("corpus.jsonl", '{"id":"d/1","title":"법","text":"본문"}', '{"id":"d/2","text":"no title"}');
    const set = await readSet(folder);
    expect(set.queries).toEqual([
      {
        id: "q1",
        text: "퇴직금은?",
        grades: new Map([
          ["d/1", 2],
          ["d/2", 1],
        ]),
      },
    ]);
    expect((await readSet(folder, { field: "rewrite" })).queries[0]?.text).toBe("퇴직금은 언제 받나요?");
    const entries: CorpusEntry[] = [];
    for await (const entry of readCorpus(set.corpusFile)) entries.push(entry);
    expect(entries).toEqual([
      { id: "d/1", title: "법", text: "본문" },
      { id: "d/2", title: "", text: "no title" },
    ]);
  });

  test("takes other file names, also outside the folder", async () => {
    await write("asked.jsonl", '{"id":"1","text":"a"}');
    await write("judged.tsv", "query-id\tcorpus-id\tscore\r", "1\td\t1\r");
    const set = await readSet(folder, { queries: "asked.jsonl", qrels: "judged.tsv", corpus: "../other/corpus.jsonl" });
    expect(set.queries).toHaveLength(1);
    expect(set.corpusFile).toBe(join(folder, "../other/corpus.jsonl"));
  });

  test.each([
    ["broken JSON", '{"id":"1"', /queries\.jsonl:1 is not JSON/],
    ["a line that is no object", "3", /queries\.jsonl:1 is not a JSON object/],
    ["a missing field", '{"id":"1"}', /queries\.jsonl:1 has no text under "text"/],
  ])("names file and line of %s", async (_, line, message) => {
    await write("qrels.tsv", "query-id\tcorpus-id\tscore", "1\td\t1");
    await write("queries.jsonl", line);
    await expect(readSet(folder)).rejects.toThrow(message);
  });

  test("names a file that is not there, and a judgement that is none", async () => {
    await expect(readSet(folder)).rejects.toThrow(/qrels\.tsv cannot be read \(ENOENT\)/);
    await write("qrels.tsv", "query-id\tcorpus-id\tscore", "1\td");
    await expect(readSet(folder)).rejects.toThrow(/qrels\.tsv:2 is not query id/);
    await write("qrels.tsv", "query-id\tcorpus-id\tscore");
    await expect(readSet(folder)).rejects.toThrow(/queries\.jsonl cannot be read \(ENOENT\)/);
  });
});
