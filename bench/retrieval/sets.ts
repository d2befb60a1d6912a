import { join } from "node:path";
import { type CorpusEntry, type EvalSet, readCorpus, readSet, type SetFiles } from "../../src/eval/sets.ts";

/** The evaluation data beside the repository. */
export const DATA = join(process.env.RAGLINE_SHARED ?? join(import.meta.dirname, "../../../shared"), "data");

const KOREAN_DOCS = { corpus: "corpus_ko.jsonl", queries: "queries_ko.jsonl", qrels: "qrels_ko.tsv" };
const ENGLISH_DOCS = { corpus: "corpus_en.jsonl", queries: "queries_ko.jsonl", qrels: "qrels_ko2en.tsv" };
const DIALOGS = { corpus: "../law_ko/corpus.jsonl", field: "rewrite" };

export interface NamedSet {
  readonly name: string;
  readonly folder: string;
  readonly files: SetFiles;
  /** False: titles are left out of the index. */
  readonly titles: boolean;
  /** nDCG@10 that the defaults must reach: fused, and reranked. */
  readonly bars: { readonly search: number; readonly rerank: number };
}

const set = (
  name: string,
  folder: string,
  search: number,
  rerank: number,
  files: SetFiles = {},
  titles = true,
): NamedSet => ({ name, folder, files, titles, bars: { search, rerank } });

export const SETS: readonly NamedSet[] = [
  set("SciFact (en)", "scifact", 0.7, 0.7),
  set("clapnq, rewritten (en)", "mtrag/clapnq", 0.33, 0.33, { field: "rewrite" }),
  set("clapnq, last turn (en)", "mtrag/clapnq", 0.28, 0.28),
  set("law_ko", "law_ko", 0.91, 0.93),
  set("law_ko, no titles", "law_ko", 0.39, 0.4, {}, false),
  set("law dialogs, rewritten (ko)", "law_ko_dialogs", 0.83, 0.83, DIALOGS),
  set("FastAPI, ko→ko", "docs_fastapi", 0.85, 0.86, KOREAN_DOCS),
  set("FastAPI, ko→ko, no titles", "docs_fastapi", 0.44, 0.44, KOREAN_DOCS, false),
  set("FastAPI, ko→en", "docs_fastapi", 0.4, 0.41, ENGLISH_DOCS),
  set("FastAPI, ko→en, no titles", "docs_fastapi", 0.24, 0.24, ENGLISH_DOCS, false),
  set("KorQuAD (ko)", "korquad_dev", 0.955, 0.955),
];

export interface LoadedSet {
  readonly set: EvalSet;
  readonly corpus: readonly CorpusEntry[];
}

/** A set with its corpus, in the order of ids, as an index would sample it. */
export async function loadSet({ folder, files, titles }: NamedSet): Promise<LoadedSet> {
  const set = await readSet(join(DATA, folder), files);
  const corpus: CorpusEntry[] = [];
  for await (const entry of readCorpus(set.corpusFile)) corpus.push(titles ? entry : { ...entry, title: "" });
  return { set, corpus: corpus.sort((a, b) => (a.id < b.id ? -1 : 1)) };
}
