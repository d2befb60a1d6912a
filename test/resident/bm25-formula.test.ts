import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { Partition } from "../../src/resident/partition.ts";
import { queryTokens, searchTokens } from "../../src/text/tokens.ts";

const SHARED = process.env.RAGLINE_SHARED ?? resolve(import.meta.dirname, "../../../shared");
const LAWS = `${SHARED}/data/law_ko`;
const CHECK = `${SHARED}/tools/bm25_check.py`;
const PASSAGES = 3000;
const QUESTIONS = 100;

/** `bm25_check.py`, line by line, over the tokens given. */
function checkScores(documents: readonly Map<string, number>[], lengths: readonly number[], query: readonly string[]) {
  const [k1, b] = [0.9, 0.6];
  const average = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const scores = new Float64Array(documents.length);
  for (const token of query) {
    const n = documents.filter((counts) => counts.has(token)).length;
    const idf = Math.log(1 + (documents.length - n + 0.5) / (n + 0.5));
    for (const [i, counts] of documents.entries()) {
      const count = counts.get(token) ?? 0;
      const norm = k1 * (1 - b + (b * (lengths[i] ?? 0)) / average);
      if (count > 0) scores[i] = (scores[i] ?? 0) + (idf * count) / (count + norm);
    }
  }
  return scores;
}

test("words of title and headings count twice, whatever the text's length", () => {
  const partition = new Partition();
  const passages = [
    { title: "휴가 규정", headings: ["연차"], text: "남은 연차는 이월하고, 연차는 모두 15일이다." },
    {
      title: "급여",
      headings: [],
      text: "월급은 25일에 지급한다. 연차 수당은 따로 지급하고 그 밖의 수당도 따로 정한다.",
    },
    { title: "", headings: [], text: "출근은 9시까지 한다." },
  ];
  const added = passages.map((passage, i) => ({
    ...passage,
    ...{ row: i + 1, documentRow: i + 1, vector: null, metadata: {}, groups: [] },
  }));
  partition.apply({ removedDocuments: [], added });
  const fields = passages.map(({ title, headings, text }) => ({
    heading: searchTokens([title, ...headings].join("\n")),
    text: searchTokens(text),
  }));
  const average = fields.reduce((sum, { text }) => sum + text.length, 0) / fields.length;
  const expected = fields.map((field) => {
    const count = (tokens: readonly string[]) => tokens.filter((token) => token === "연차").length;
    const frequency = 2 * count(field.heading) + count(field.text) / (0.4 + (0.6 * field.text.length) / average);
    return (Math.log(1 + (3 - 2 + 0.5) / (2 + 0.5)) * frequency) / (frequency + 0.9);
  });
  const hits = partition.search({ text: "연차", limit: 5, groups: [] }).byText;
  expect(hits.map(({ row }) => row)).toEqual([1, 2]);
  for (const { row, score } of hits) expect(score).toBeCloseTo(expected[row - 1] ?? 0, 6);
});

function countsOf(tokens: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return counts;
}

test.skipIf(!existsSync(LAWS))(
  "BM25 agrees with bm25_check.py's formula to 1e-4 on laws, common terms left out early or not",
  async () => {
    const lines = (file: string) => readFileSync(`${LAWS}/${file}`, "utf8").trim().split("\n");
    const texts = lines("corpus.jsonl")
      .slice(0, PASSAGES)
      .map((line) => (JSON.parse(line) as { text: string }).text);
    const questions = lines("queries.jsonl")
      .slice(0, QUESTIONS)
      .map((line) => (JSON.parse(line) as { text: string }).text);
    const partition = new Partition();
    for (let from = 0; from < PASSAGES; from += 300) {
      const added = texts.slice(from, from + 300).map((text, i) => {
        const row = from + i + 1;
        return { row, documentRow: row, title: "", headings: [], text, vector: null, metadata: {}, groups: [] };
      });
      partition.apply({ removedDocuments: [], added });
    }
    await partition.merged();
    const tokens = texts.map((text) => searchTokens(text));
    const documents = tokens.map(countsOf);
    const lengths = tokens.map((all) => all.length);
    for (const question of questions.slice(0, 40)) {
      const scores = checkScores(documents, lengths, queryTokens(question));
      const expected = [...scores]
        .sort((a, b) => b - a)
        .filter((score) => score > 0)
        .slice(0, 20);
      const hits = partition.search({ text: question, limit: 20, groups: [] }).byText;
      expect(hits.length).toBe(expected.length);
      for (const [i, { row, score }] of hits.entries()) {
        expect(Math.abs(score - (expected[i] ?? 0))).toBeLessThan(1e-4);
        expect(Math.abs(score - (scores[row - 1] ?? 0))).toBeLessThan(1e-4);
      }
    }
  },
);

const hasPython = () => {
  try {
    execFileSync("python3", ["-c", "import numpy"], { stdio: "ignore" });
    return existsSync(CHECK);
  } catch {
    return false;
  }
};

test.skipIf(!existsSync(LAWS) || !hasPython())(
  "bm25_check.py itself finds what BM25 here finds, given the same tokens",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "ragline-bm25-"));
    try {
      // Tokens as words of letters and digits that the script leaves as they are.
      const names = new Map<string, string>();
      const nameOf = (token: string) => names.get(token) ?? names.set(token, `t${names.size}x`).get(token) ?? "";
      const read = (file: string) => readFileSync(`${LAWS}/${file}`, "utf8").trim().split("\n");
      const texts = read("corpus.jsonl")
        .slice(0, PASSAGES)
        .map((line) => (JSON.parse(line) as { text: string }).text);
      const asked = texts.filter((_, i) => i % 30 === 0).map((text) => text.slice(20, 60));
      const json = (all: readonly string[], tokens: (text: string) => string[]) =>
        all.map((text, i) => JSON.stringify({ id: `${i}`, text: tokens(text).map(nameOf).join(" ") })).join("\n");
      writeFileSync(join(folder, "corpus.jsonl"), json(texts, searchTokens));
      writeFileSync(join(folder, "queries.jsonl"), json(asked, queryTokens));
      const partition = new Partition();
      const added = texts.map((text, i) => ({
        ...{ row: i + 1, documentRow: i + 1, title: "", headings: [], text },
        ...{ vector: null, metadata: {}, groups: [] },
      }));
      partition.apply({ removedDocuments: [], added });
      // What is found here is what the script is to find: then its recall is 1.
      const found = asked.flatMap((text, i) => {
        const hits = partition.search({ text, limit: 11, groups: [] }).byText;
        const isTied = Math.abs((hits[9]?.score ?? 0) - (hits[10]?.score ?? 0)) < 1e-4;
        return hits.length < 11 || isTied ? [] : hits.slice(0, 10).map(({ row }) => `${i}\t${row - 1}\t1`);
      });
      writeFileSync(join(folder, "qrels.tsv"), ["q\td\ts", ...found].join("\n"));
      const said = execFileSync("python3", [CHECK, folder, "--lang", "ko", "--notitle", "--b", "0.6"], {
        encoding: "utf8",
      });
      expect(found.length).toBeGreaterThan(500);
      expect(said).toContain("R@10=1.0000");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
