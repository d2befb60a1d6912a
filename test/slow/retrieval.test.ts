import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { type Evaluation, evaluate } from "../../src/eval/run.ts";
import { type CorpusEntry, readCorpus, readSet, type SetFiles } from "../../src/eval/sets.ts";
import { fuse } from "../../src/pipeline/fuse.ts";
import { Partition, type RowHit } from "../../src/resident/partition.ts";
import { passageText } from "../../src/text/passage-text.ts";
import type { ScoredPassage } from "../../src/types.ts";

const DATA = join(process.env.RAGLINE_SHARED ?? join(import.meta.dirname, "../../../shared"), "data");
const TOP = 20;
const KOREAN_DOCS = { corpus: "corpus_ko.jsonl", queries: "queries_ko.jsonl", qrels: "qrels_ko.tsv" };
const ENGLISH_DOCS = { corpus: "corpus_en.jsonl", queries: "queries_ko.jsonl", qrels: "qrels_ko2en.tsv" };

const { signal } = new AbortController();

/** Text search alone, and the default pipeline's search and rerank, over a corpus whose entries are a passage each. */
async function measured(folder: string, files: SetFiles): Promise<{ text: Evaluation; pipeline: Evaluation }> {
  const embedder = createStaticEmbedder();
  const reranker = createLexicalReranker();
  const set = await readSet(join(DATA, folder), files);
  const corpus: CorpusEntry[] = [];
  for await (const entry of readCorpus(set.corpusFile)) corpus.push(entry);
  const texts = corpus.map((entry) => passageText({ ...entry, headings: [] }));
  const vectors = await embedder.embed(texts, "passage", { signal });
  const partition = new Partition();
  partition.apply({
    removedDocuments: [],
    added: corpus.map((entry, row) => {
      return { ...entry, row, documentRow: row, headings: [], vector: vectors[row] ?? null, metadata: {}, groups: [] };
    }),
  });
  const passages = corpus.map(({ id, title, text }) => {
    return { id, documentId: id, title, headings: [], text, tokens: 0, metadata: {} };
  });
  const scored = (hits: readonly RowHit[]) =>
    hits.flatMap(({ row, score }): ScoredPassage[] => {
      const passage = passages[row];
      return passage ? [{ passage, score }] : [];
    });
  const ids = (hits: readonly ScoredPassage[]) => hits.map(({ passage }) => passage.id);

  const textAlone = async (query: string) => {
    const found = ids(scored(partition.search({ text: query, limit: TOP, groups: [] }).byText));
    return { search: found, rerank: found, timings: {} };
  };
  const wholePipeline = async (query: string) => {
    const [vector = new Float32Array(embedder.dimensions)] = await embedder.embed([query], "query", { signal });
    const legs = partition.search({ text: query, vector, limit: TOP, groups: [] });
    const found = fuse({ byText: scored(legs.byText), byVector: scored(legs.byVector) }, query, TOP);
    const ranked = await reranker.rerank(
      query,
      found.map(({ passage }) => passageText(passage)),
      { signal },
    );
    const search = ids(found);
    return { search, rerank: ranked.map(({ index }) => search[index] ?? ""), timings: {} };
  };
  return { text: await evaluate(set, textAlone), pipeline: await evaluate(set, wholePipeline) };
}

/** nDCG@10 that text search alone, and the whole pipeline, must reach. */
test.skipIf(!existsSync(DATA)).each<[string, SetFiles, number, number]>([
  ["scifact", {}, 0.69, 0.69],
  ["law_ko", {}, 0.87, 0.87],
  ["docs_fastapi", KOREAN_DOCS, 0.83, 0.83],
  ["docs_fastapi", ENGLISH_DOCS, 0.26, 0.38],
  ["mtrag/clapnq", { field: "rewrite" }, 0.3, 0.3],
])("%s %j: text %f, pipeline %f", { timeout: 120_000 }, async (folder, files, textBar, pipelineBar) => {
  const { text, pipeline } = await measured(folder, files);
  expect(text["ndcg@10"]).toBeGreaterThanOrEqual(textBar);
  expect(pipeline["ndcg@10"]).toBeGreaterThanOrEqual(pipelineBar);
  expect(pipeline.search["ndcg@10"]).toBeGreaterThanOrEqual(text["ndcg@10"] - 0.01);
  expect(pipeline.rerank["ndcg@10"]).toBeGreaterThanOrEqual(text["ndcg@10"] - 0.01);
});

test.runIf(!existsSync(DATA))("retrieval bars are skipped: no evaluation data beside the repository", () => {});
