import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { type Evaluation, evaluate } from "../../src/eval/run.ts";
import { type CorpusEntry, type EvalSet, readCorpus, readSet, type SetFiles } from "../../src/eval/sets.ts";
import { learnFusion, SAMPLE_MAX } from "../../src/fusion/learn.ts";
import { spread } from "../../src/fusion/questions.ts";
import { isUsed, weightsFor } from "../../src/fusion/weights.ts";
import { fuse } from "../../src/pipeline/fuse.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import { Partition, type RowHit } from "../../src/resident/partition.ts";
import { passageText } from "../../src/text/passage-text.ts";
import { createWords } from "../../src/text/words.ts";
import type { ScoredPassage } from "../../src/types.ts";

const DATA = join(process.env.RAGLINE_SHARED ?? join(import.meta.dirname, "../../../shared"), "data");
const TOP = 20;
const KOREAN_DOCS = { corpus: "corpus_ko.jsonl", queries: "queries_ko.jsonl", qrels: "qrels_ko.tsv" };
const ENGLISH_DOCS = { corpus: "corpus_en.jsonl", queries: "queries_ko.jsonl", qrels: "qrels_ko2en.tsv" };
const DIALOGS = { corpus: "../law_ko/corpus.jsonl", field: "rewrite" };

const { signal } = new AbortController();

interface Loaded {
  readonly set: EvalSet;
  readonly corpus: readonly CorpusEntry[];
}

async function loaded(folder: string, { titles = true, ...files }: Files): Promise<Loaded> {
  const set = await readSet(join(DATA, folder), files);
  const corpus: CorpusEntry[] = [];
  for await (const entry of readCorpus(set.corpusFile)) corpus.push(titles ? entry : { ...entry, title: "" });
  return { set, corpus };
}

/** Text search alone, and the default pipeline's search and rerank, over a corpus whose entries are a passage each. */
async function measured({ set, corpus }: Loaded, embedder: Embedder) {
  const reranker = createLexicalReranker();
  const words = createWords();
  const parts = corpus.map(({ title, text }) => ({ title, headings: [], text }));
  const vectors = await embedder.embed(parts.map(passageText), "passage", { signal });
  const partition = new Partition();
  const added = parts.map((part, row) => {
    return { ...part, row, documentRow: row, vector: vectors[row] ?? null, metadata: {}, groups: [] };
  });
  partition.apply({ removedDocuments: [], added });
  const sample = spread(added.length, SAMPLE_MAX).flatMap((row) => added[row] ?? []);
  const learned = await learnFusion(sample, embedder, { passages: added.length, breathe: () => undefined, signal });
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
    const weights = weightsFor("learned", learned, query);
    const [vector] = isUsed(weights).vector ? await embedder.embed([query], "query", { signal }) : [];
    const legs = partition.search({ text: query, limit: TOP, groups: [], ...(vector && { vector }) });
    const found = fuse({ byText: scored(legs.byText), byVector: scored(legs.byVector) }, query, TOP, weights, words);
    const texts = found.map(({ passage }) => passageText(passage));
    const ranked = await reranker.rerank(query, texts, { signal });
    const search = ids(found);
    return { search, rerank: ranked.map(({ index }) => search[index] ?? ""), timings: {} };
  };
  const text: Evaluation = await evaluate(set, textAlone);
  return { text, pipeline: await evaluate(set, wholePipeline) };
}

type Files = SetFiles & { readonly titles?: boolean };

/** nDCG@10 that the default pipeline (static vectors, lexical reranker) must reach. */
const SETS: readonly (readonly [folder: string, files: Files, bar: number])[] = [
  ["scifact", {}, 0.7],
  ["law_ko", {}, 0.93],
  ["law_ko", { titles: false }, 0.4],
  ["law_ko_dialogs", DIALOGS, 0.83],
  ["docs_fastapi", KOREAN_DOCS, 0.86],
  ["docs_fastapi", { ...KOREAN_DOCS, titles: false }, 0.44],
  ["docs_fastapi", ENGLISH_DOCS, 0.41],
  ["docs_fastapi", { ...ENGLISH_DOCS, titles: false }, 0.24],
  ["mtrag/clapnq", { field: "rewrite" }, 0.33],
  ["mtrag/clapnq", {}, 0.28],
  ["korquad_dev", {}, 0.955],
];

/** Against text alone; the smallest set has 38 questions. */
const LOSS_MAX = 0.005;

describe.skipIf(!existsSync(DATA)).each(SETS)("%s %j", (folder, files, bar) => {
  test(`the default reaches ${bar}, and vectors hurt nothing`, { timeout: 200_000 }, async () => {
    const { text, pipeline } = await measured(await loaded(folder, files), createStaticEmbedder());
    expect(pipeline.search["ndcg@10"]).toBeGreaterThanOrEqual(text["ndcg@10"] - LOSS_MAX);
    expect(pipeline["ndcg@10"]).toBeGreaterThanOrEqual(bar);
    expect(pipeline["ndcg@10"]).toBeGreaterThanOrEqual(pipeline.search["ndcg@10"] - LOSS_MAX);
  });

  test("hashed spelling hurts nothing either", { timeout: 200_000 }, async () => {
    const { text, pipeline } = await measured(await loaded(folder, files), createHashingEmbedder({ dimensions: 384 }));
    expect(pipeline.search["ndcg@10"]).toBeGreaterThanOrEqual(text["ndcg@10"] - LOSS_MAX);
  });
});

test.runIf(!existsSync(DATA))("retrieval bars are skipped: no evaluation data beside the repository", () => {});
