import { RaglineError } from "../errors.ts";
import type { CallOptions, ScoredPassage } from "../types.ts";
import type { Stages } from "./stages.ts";

/** Step 6: the `keep` best of what search found. Without a reranker the order of search stands. */
export async function rerank(
  stages: Stages,
  query: string,
  found: readonly ScoredPassage[],
  keep: number,
  call: CallOptions,
): Promise<readonly ScoredPassage[]> {
  if (!stages.reranker || found.length === 0) return found.slice(0, keep);
  const texts = found.map(({ passage }) => stages.words.textOf(passage));
  const scores = await stages.reranker.rerank(query, texts, call);
  const seen = new Set<number>();
  const ranked = scores.map(({ index, score }) => {
    const hit = found[index];
    if (!hit || seen.has(index)) {
      throw new RaglineError("dependency_failed", "The reranker's answer does not fit the passages it was given.");
    }
    seen.add(index);
    return { ...hit, score };
  });
  if (ranked.length < Math.min(keep, found.length)) {
    throw new RaglineError("dependency_failed", "The reranker left passages out.");
  }
  return ranked.slice(0, keep);
}
