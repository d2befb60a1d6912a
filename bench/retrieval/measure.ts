import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { ndcg } from "../../src/eval/metrics.ts";
import { learnFusion, SAMPLE_MAX } from "../../src/fusion/learn.ts";
import { spread } from "../../src/fusion/questions.ts";
import { isUsed, weightsFor } from "../../src/fusion/weights.ts";
import { collapseDuplicates } from "../../src/pipeline/duplicates.ts";
import { fuse } from "../../src/pipeline/fuse.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { Fusion } from "../../src/ports/fusion-store.ts";
import { Partition, type RowHit } from "../../src/resident/partition.ts";
import { passageText } from "../../src/text/passage-text.ts";
import { createWords } from "../../src/text/words.ts";
import type { ScoredPassage } from "../../src/types.ts";
import type { LoadedSet } from "./sets.ts";

const TOP = 20;

/** nDCG@10 of every question, in the set's order. */
export interface Measured {
  readonly text: readonly number[];
  readonly search: readonly number[];
  readonly rerank: readonly number[];
  readonly learned: Fusion;
}

/**
 * Text search alone, and the default pipeline's search and rerank, over a corpus whose entries are a passage each: what
 * `ragline eval` measures, without a database.
 */
export async function measure({ set, corpus }: LoadedSet, embedder: Embedder): Promise<Measured> {
  const { signal } = new AbortController();
  const parts = corpus.map(({ title, text }) => ({ title, headings: [], text }));
  const vectors = await embedder.embed(parts.map(passageText), "passage", { signal });
  const added = parts.map((part, row) => {
    return { ...part, row, documentRow: row, vector: vectors[row] ?? null, metadata: {}, groups: [] };
  });
  const partition = new Partition();
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
  const reranker = createLexicalReranker();
  const words = createWords();
  const figures = { text: [] as number[], search: [] as number[], rerank: [] as number[] };
  for (const { text: query, grades } of set.queries) {
    const weights = weightsFor("learned", learned, query);
    const [vector] = isUsed(weights).vector ? await embedder.embed([query], "query", { signal }) : [];
    const legs = partition.search({ text: query, limit: TOP, groups: [], ...(vector && { vector }) });
    const byText = scored(legs.byText);
    const found = collapseDuplicates(fuse({ byText, byVector: scored(legs.byVector) }, query, TOP, weights, words));
    const texts = found.map(({ passage }) => passageText(passage));
    const ranked = (await reranker.rerank(query, texts, { signal })).flatMap(({ index }) => found[index] ?? []);
    for (const [name, hits] of Object.entries({ text: byText, search: found, rerank: ranked })) {
      const ids = hits.map(({ passage }) => passage.documentId);
      figures[name as keyof typeof figures].push(ndcg(ids, grades, 10));
    }
  }
  return { ...figures, learned };
}

/** Every other question: a set's two halves. */
export function halves(values: readonly number[]): [odd: number[], even: number[]] {
  return [values.filter((_, i) => i % 2 === 0), values.filter((_, i) => i % 2 === 1)];
}
