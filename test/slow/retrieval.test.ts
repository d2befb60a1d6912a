import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { Evaluation } from "../../src/eval/run.ts";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const SHARED = process.env.RAGLINE_SHARED ?? resolve(ROOT, "../shared");
const DATA = join(SHARED, "data");

/** nDCG@10 of the default pipeline, and of an independent BM25 over title and text on the same questions. */
const BARS = [
  { folder: "scifact", options: [], bar: 0.69, text: 0.697 },
  { folder: "law_ko", options: [], bar: 0.87, text: 0.883 },
  {
    folder: "docs_fastapi",
    options: ["--corpus", "corpus_ko.jsonl", "--queries", "queries_ko.jsonl", "--qrels", "qrels_ko.tsv"],
    bar: 0.83,
    text: 0.842,
  },
  { folder: "mtrag/clapnq", options: ["--field", "rewrite"], bar: 0.3, text: 0.304 },
] as const;

describe.skipIf(!existsSync(DATA))("retrieval on real sets (skipped where ../shared/data is absent)", () => {
  for (const { folder, options, bar, text } of BARS) {
    it(`${folder} reaches ${bar}, and neither fusion nor reranking costs more than 0.01 of text search alone`, async () => {
      const args = [join(ROOT, "bin/ragline.js"), "eval", join(DATA, folder), ...options, "--json"];
      const { stdout } = await run(process.execPath, args, { cwd: ROOT });
      const evaluation = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Evaluation;
      console.log(`${evaluation.set}: search ${evaluation.search["ndcg@10"]}, reranked ${evaluation["ndcg@10"]}`);
      expect(evaluation["ndcg@10"]).toBeGreaterThanOrEqual(bar);
      expect(evaluation.search["ndcg@10"]).toBeGreaterThanOrEqual(text - 0.01);
      expect(evaluation.rerank["ndcg@10"]).toBeGreaterThanOrEqual(evaluation.search["ndcg@10"] - 0.01);
    });
  }
});
