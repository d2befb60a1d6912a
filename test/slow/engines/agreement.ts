import { expect } from "vitest";
import { type LoadedSet, loadSet, type NamedSet } from "../../../bench/retrieval/sets.ts";
import { createStaticEmbedder } from "../../../src/adapters/embedder/static.ts";
import { SqlitePassageIndex } from "../../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../../src/adapters/sqlite/database.ts";
import { ndcg } from "../../../src/eval/metrics.ts";
import { createFusionLearner } from "../../../src/fusion/keep.ts";
import { isUsed, weightsFor } from "../../../src/fusion/weights.ts";
import { fuse } from "../../../src/pipeline/fuse.ts";
import type { PassageIndex } from "../../../src/ports/passage-index.ts";
import { passageText } from "../../../src/text/passage-text.ts";
import { createWords } from "../../../src/text/words.ts";
import { document } from "../../contract/passages.ts";
import { call, scope } from "../../support/calls.ts";
import { folderForTest } from "../../support/folder.ts";

const TOP = 20;
/** In nDCG@10, against the embedded index. */
const DIFFERENCE_MAX = 0.01;
const WRITTEN_AT_ONCE = 64;

export interface Agreement {
  readonly text: number;
  readonly vector: number;
  readonly fused: number;
}

/** Holds an index, over a whole set, against the embedded one: each leg, and both fused by weights that it has learned and kept. */
export async function expectAgreement(
  name: string,
  set: NamedSet,
  index: PassageIndex,
  { queriesMax = Number.POSITIVE_INFINITY } = {},
): Promise<void> {
  const embedder = createStaticEmbedder();
  const whole = await loadSet(set);
  const loaded = { ...whole, set: { ...whole.set, queries: whole.set.queries.slice(0, queriesMax) } };
  const database = Database.open(folderForTest().file("embedded.db"));
  const embedded = new SqlitePassageIndex(database, embedder);
  const rows = { embedded: await measured(loaded, embedded), [name]: await measured(loaded, index) };
  await embedded.close();
  await database.close();
  const table = Object.entries(rows).map(
    ([of, { text, vector, fused }]) =>
      `| ${set.name} | ${of} | ${text.toFixed(4)} | ${vector.toFixed(4)} | ${fused.toFixed(4)} |`,
  );
  console.log(["| set | index | text | vectors | fused |", ...table].join("\n"));
  for (const leg of ["text", "vector", "fused"] as const) {
    expect(Math.abs((rows[name]?.[leg] ?? 0) - rows.embedded[leg]), leg).toBeLessThanOrEqual(DIFFERENCE_MAX);
  }
}

async function measured({ set, corpus }: LoadedSet, index: PassageIndex): Promise<Agreement> {
  const embedder = createStaticEmbedder();
  const where = scope({ collection: set.name });
  for (let i = 0; i < corpus.length; i += WRITTEN_AT_ONCE) {
    const some = corpus.slice(i, i + WRITTEN_AT_ONCE);
    const parts = some.map(({ title, text }) => ({ title, headings: [], text }));
    const vectors = await embedder.embed(parts.map(passageText), "passage", call());
    await Promise.all(
      some.map(({ id, title, text }, n) => {
        const passages = [{ text, headings: [], tokens: 0, vector: vectors[n] ?? null }];
        return index.replace(where, document(id, { title }), passages, call());
      }),
    );
  }
  await index.settle?.(where, call());
  const learner = createFusionLearner({ index, embedder, settings: { fusion: "learned" } }, () => undefined);
  await learner.learn(where, call());
  const learned = (await index.fusion?.load(where, call())) ?? null;
  const words = createWords();
  const sums = { text: 0, vector: 0, fused: 0 };
  for (const { text: query, grades } of set.queries) {
    const [vector] = await embedder.embed([query], "query", call());
    const legs = await index.search(where, { text: query, ...(vector && { vector }), limit: TOP }, call());
    const weights = weightsFor("learned", learned, query);
    const used = { byText: legs.byText, byVector: isUsed(weights).vector ? legs.byVector : [] };
    const hits = { text: legs.byText, vector: legs.byVector, fused: fuse(used, query, TOP, weights, words) };
    for (const leg of ["text", "vector", "fused"] as const) {
      sums[leg] += ndcg(
        hits[leg].map(({ passage }) => passage.documentId),
        grades,
        10,
      );
    }
  }
  const mean = (sum: number) => sum / set.queries.length;
  return { text: mean(sums.text), vector: mean(sums.vector), fused: mean(sums.fused) };
}
