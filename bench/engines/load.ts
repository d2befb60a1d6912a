import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { LEARNER_VERSION } from "../../src/fusion/weights.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { round } from "../stats.ts";
import { documentsOf, EMBEDDER, nearest, type TenantDocument, type TenantQuestion, tenantsOf } from "./corpus.ts";
import type { Engine, RunningEngine } from "./engine.ts";

const ROOT = join(import.meta.dirname, "../..");
/** What is stored stays here from one run to the next; it may be deleted at any time. */
const KEPT = process.env.RAGLINE_BENCH_ENGINES ?? join(tmpdir(), "ragline-bench-engines");
const CORPUS = ["bench/search/corpus.ts", "bench/engines/corpus.ts"];
const call = { signal: new AbortController().signal };

/** As if it had been learned: both legs count for every question. */
const LEARNED = { uncovered: 0.6, covered: 0.3, questions: 100 };

/** The engine with the corpus in it, which is written where that was not done. `loadS`: how long that took, then. */
export async function loaded(engine: Engine, size: number): Promise<RunningEngine & { readonly loadS: number }> {
  const folder = join(KEPT, `${engine.name}-${size}-${keyOf([...engine.writtenBy, ...CORPUS])}`);
  const done = join(folder, "complete.json");
  if (!existsSync(done)) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const one of [KEPT, folder]) chmodSync(one, 0o755);
  const running = await engine.start(folder);
  if (existsSync(done))
    return { ...running, loadS: (JSON.parse(readFileSync(done, "utf8")) as { loadS: number }).loadS };
  try {
    const startedAt = performance.now();
    await fill(running.index, size, running.writers);
    const loadS = round((performance.now() - startedAt) / 1000, 0);
    await running.settle();
    writeFileSync(done, JSON.stringify({ loadS }));
    return { ...running, loadS };
  } catch (error) {
    await running.close();
    throw error;
  }
}

/** Exact answers, which take longer to find than the engines'. */
export function exactAnswers(size: number, questions: readonly TenantQuestion[]): string[][] {
  const file = join(KEPT, `exact-${size}-${keyOf(CORPUS)}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as string[][];
  const answers = nearest(size, questions);
  mkdirSync(KEPT, { recursive: true });
  writeFileSync(file, JSON.stringify(answers));
  return answers;
}

/** Tenants at once, as they would come. */
async function fill(index: PassageIndex, size: number, writers: number): Promise<void> {
  await Promise.all(
    tenantsOf(size).map(async (tenant) => {
      const documents = documentsOf(tenant);
      await Promise.all(Array.from({ length: writers }, () => write(index, documents)));
      const weights = { ko: LEARNED, en: LEARNED, other: LEARNED };
      const learned = { version: LEARNER_VERSION, embedder: EMBEDDER.model, passages: size, weights };
      await index.fusion?.save(tenant.scope, learned, call);
    }),
  );
}

async function write(index: PassageIndex, documents: Iterable<TenantDocument>): Promise<void> {
  for (const { scope, document, passages } of documents) await index.replace(scope, document, passages, call);
}

/** Of what the files say whose paths begin so. */
function keyOf(beginnings: readonly string[]): string {
  const hash = createHash("sha256");
  for (const beginning of beginnings) {
    const path = join(ROOT, beginning);
    const isFolder = existsSync(path) && statSync(path).isDirectory();
    const folder = isFolder ? path : dirname(path);
    for (const file of readdirSync(folder).toSorted()) {
      if (!file.endsWith(".ts") || !(isFolder || file.startsWith(basename(path)))) continue;
      hash.update(file).update(readFileSync(join(folder, file)));
    }
  }
  return hash.digest("hex").slice(0, 12);
}
