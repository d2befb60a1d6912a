import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TINY_BERT_L2, writeRandomReranker } from "../../test/support/onnx/models.ts";
import { callers } from "./callers.ts";
import { ingestion } from "./ingestion.ts";
import { query } from "./query.ts";
import { reranking } from "./reranking.ts";

const HELP = `npm run bench:models [-- options]

Models that run beside the process, each figure beside the same ONNX file called directly in the same run: the time of one query, of
reranking 20 passages of 128 tokens, and of indexing; throughput and p99 with and without \`batched\` at 1, 8 and 64 callers.

  --only <name>    query, rerank, callers or ingest
  --documents <n>  of scifact for ingestion (default 1000)
  --threads <n>    of the model (default 1)
  --json           the last line is one JSON object with every figure
  --help           this text

Needs ../shared/models and ../shared/data (RAGLINE_SHARED names another place) for all but reranking.
`;
const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    documents: { type: "string", default: "1000" },
    threads: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const shared = process.env.RAGLINE_SHARED ?? join(import.meta.dirname, "../../../shared");
const model = join(shared, "models/all-MiniLM-L6-v2");
const corpus = join(shared, "data/scifact/corpus.jsonl");
const figures: Record<string, unknown> = {};
const folder = await mkdtemp(join(tmpdir(), "ragline-bench-models-"));
const threads = Number(options.threads);
const wants = (name: string) => options.only === undefined || options.only === name;

try {
  if (options.help) console.log(HELP);
  else {
    const reranker = writeRandomReranker(join(folder, "tiny-bert"), { shape: TINY_BERT_L2 });
    if (wants("rerank")) note("rerank20x128", await reranking(reranker, threads));
    if (!existsSync(model)) console.log(`embedding is skipped: no model in ${model}`);
    else {
      if (wants("query")) note("query", await query(model, threads));
      if (wants("callers")) for (const one of await callers(model, reranker, threads)) note(one.name, one.figures);
      if (wants("ingest")) note("ingest", await ingestion(model, corpus, folder, Number(options.documents), threads));
    }
    if (options.json) console.log(JSON.stringify(figures));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

function note(name: string, value: unknown): void {
  figures[name] = value;
  console.log(`${name}: ${JSON.stringify(value)}`);
}
