import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createBreather } from "../breather.ts";
import { compose, discardIndex } from "../compose.ts";
import { type Config, loadConfig } from "../config.ts";
import { type Evaluation, evaluate, type Retrieved } from "../eval/run.ts";
import { type CorpusEntry, type EvalSet, readConversations, readCorpus, readSet } from "../eval/sets.ts";
import { createFusionLearner } from "../fusion/keep.ts";
import { embedQuery } from "../pipeline/embed.ts";
import { rerank } from "../pipeline/rerank.ts";
import { search } from "../pipeline/search.ts";
import type { Stages } from "../pipeline/stages.ts";
import { Run } from "../run.ts";
import { passageText } from "../text/passage-text.ts";
import { type Scope, STEPS } from "../types.ts";
import { evaluateConversations, printConversations } from "./eval-conversations.ts";
import { searchOnFile, sessionsOnFile } from "./on-file.ts";
import { stopSignal } from "./session.ts";

export interface EvalOptions {
  readonly corpus: string;
  readonly queries: string;
  readonly qrels: string;
  readonly field: string;
  /** False: `--no-titles`. */
  readonly titles: boolean;
  readonly limit?: number;
  readonly json?: true;
  readonly conversations?: true;
}

const SCOPE: Scope = { tenant: "eval", collection: "eval", groups: [] };
const BATCH = 64;
const EVAL_SCHEMA = `ragline_eval_${randomUUID().slice(0, 8)}`;
/** Quality is measured, not latency: a busy machine must not end it. */
const LIMIT_MS = 300_000;

/**
 * Measures the configured embed, search and rerank on a set of judged questions, beside text search alone, in a database (in
 * PostgreSQL a schema) of its own that is deleted afterwards. The configured time limits do not hold here. Every row of the corpus is one passage, as the set's judgements mean it.
 */
export async function evalCommand(configFile: string | undefined, folder: string, options: EvalOptions): Promise<void> {
  const { corpus, queries, qrels, field } = options;
  const files = { corpus, queries, qrels, field };
  const set = options.conversations ? await readConversations(folder, files) : await readSet(folder, files);
  const temporary = await mkdtemp(join(tmpdir(), "ragline-eval-"));
  try {
    const config = onItsOwn(loadConfig(configFile), join(temporary, "eval.db"));
    await measure(config, set, nameOf(folder, options), options);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function measure(
  config: Config,
  set: EvalSet | Awaited<ReturnType<typeof readConversations>>,
  name: string,
  { limit, titles, json }: EvalOptions,
): Promise<void> {
  const { stages, close } = await compose(config);
  const stop = stopSignal();
  try {
    const passages = await fill(stages, set.corpusFile, titles, stop.signal);
    await stages.index.warm?.(SCOPE, stop);
    await createFusionLearner(stages, createBreather()).learn(SCOPE, stop);
    if ("conversations" in set) {
      const { conversations } = set;
      const asked = conversations.slice(0, limit);
      const result = await evaluateConversations(stages, SCOPE, asked, stop.signal, progress(asked.length));
      printConversations(name, passages, result);
      if (json) console.log(JSON.stringify(result));
      return;
    }
    const asked = { ...set, queries: set.queries.slice(0, limit) };
    const evaluation = await evaluate(
      asked,
      (query) => retrieve(stages, query, stop.signal),
      progress(asked.queries.length),
    );
    print({ ...evaluation, set: name }, passages, json);
  } finally {
    stop.release();
    try {
      await close();
    } finally {
      await discardIndex(config);
    }
  }
}

/** With a file, or a schema, that holds nothing else. */
function onItsOwn(config: Config, file: string): Config {
  return {
    ...config,
    search:
      config.search.use === "postgres" ? { ...config.search, schema: EVAL_SCHEMA } : searchOnFile(config.search, file),
    session: sessionsOnFile(config.session, file),
    cache: { use: "none" },
  };
}

async function fill(stages: Stages, corpusFile: string, titles: boolean, signal: AbortSignal): Promise<number> {
  let batch: CorpusEntry[] = [];
  let passages = 0;
  const flush = async () => {
    signal.throwIfAborted();
    await indexRows(stages, batch, titles, signal);
    passages += batch.length;
    batch = [];
    if (process.stderr.isTTY) process.stderr.write(`\rindexed ${passages} passages\x1b[K`);
  };
  for await (const entry of readCorpus(corpusFile)) if (batch.push(entry) === BATCH) await flush();
  await flush();
  return passages;
}

async function indexRows(
  stages: Stages,
  rows: readonly CorpusEntry[],
  titles: boolean,
  signal: AbortSignal,
): Promise<void> {
  const parts = rows.map(({ title, text }) => ({ title: titles ? title : "", headings: [], text }));
  const vectors = await stages.embedder.embed(parts.map(passageText), "passage", { signal });
  await Promise.all(
    rows.map(async ({ id }, row) => {
      const { title, text, headings } = parts[row] ?? { title: "", text: "", headings: [] };
      const passage = { text, headings, tokens: 0, vector: vectors[row] ?? null };
      await stages.index.replace(SCOPE, { id, title, hash: "", metadata: {}, groups: [] }, [passage], { signal });
    }),
  );
}

async function retrieve(stages: Stages, query: string, signal: AbortSignal): Promise<Retrieved> {
  const run = new Run({ signal, timeoutMs: LIMIT_MS, limitsMs: {} });
  const vector = await run.must("embed", (call) => embedQuery(stages, SCOPE, query, call));
  const asked = { scope: SCOPE, filter: null };
  const found = await run.must("search", (call) => search(stages, asked, query, vector, call));
  const ranked = await run.must("rerank", (call) => rerank(stages, query, found, found.length, call));
  const { byText } = await stages.index.search(SCOPE, { text: query, limit: stages.settings.top }, { signal });
  const ids = (hits: typeof found | typeof ranked) => hits.map(({ passage }) => passage.documentId);
  return { text: ids(byText), search: ids(found), rerank: ids(ranked), timings: run.timeline.timings };
}

function progress(total: number): (done: number) => void {
  return (done) => {
    if (process.stderr.isTTY) process.stderr.write(`\rasked ${done} of ${total}\x1b[K${done === total ? "\n" : ""}`);
  };
}

function nameOf(folder: string, { corpus, qrels, field, titles }: EvalOptions): string {
  const parts = [basename(folder)];
  if (corpus !== "corpus.jsonl") parts.push(basename(corpus, ".jsonl"));
  if (qrels !== "qrels.tsv") parts.push(basename(qrels, ".tsv"));
  if (field !== "text") parts.push(field);
  if (!titles) parts.push("no titles");
  return parts.join(" ");
}

function print(evaluation: Evaluation, passages: number, json: true | undefined): void {
  const { set, queries, latencyMs } = evaluation;
  console.log(`${set}: ${queries} questions, ${passages} passages`);
  console.log(
    `\n${"".padEnd(10)}${"nDCG@10".padStart(9)}${"recall@5".padStart(10)}${"recall@20".padStart(11)}${"MRR".padStart(8)}`,
  );
  for (const name of ["text", "search", "rerank"] as const) {
    const metrics = evaluation[name];
    const figures = [metrics["ndcg@10"], metrics["recall@5"], metrics["recall@20"], metrics.mrr].map((n) =>
      n.toFixed(3),
    );
    const [ndcg = "", recall5 = "", recall20 = "", mrr = ""] = figures;
    console.log(
      `${name.padEnd(10)}${ndcg.padStart(9)}${recall5.padStart(10)}${recall20.padStart(11)}${mrr.padStart(8)}`,
    );
  }
  console.log(`\n${"step".padEnd(10)}${"p50 ms".padStart(9)}${"p95 ms".padStart(10)}`);
  for (const step of STEPS) {
    const latency = latencyMs[step];
    if (latency)
      console.log(`${step.padEnd(10)}${latency.p50.toFixed(2).padStart(9)}${latency.p95.toFixed(2).padStart(10)}`);
  }
  if (json) console.log(JSON.stringify(evaluation));
}
