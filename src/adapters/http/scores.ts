import { RaglineError } from "../../errors.ts";
import type { RerankScore } from "../../ports/reranker.ts";

/** An upstream's scores, best first and equal ones in the order of the texts. @throws RaglineError: they do not fit `texts` texts. */
export function allScores(scores: readonly RerankScore[], texts: number): RerankScore[] {
  const indices = new Set(scores.map(({ index }) => index).filter((index) => index < texts));
  if (indices.size !== texts || scores.length !== texts)
    throw unfit(new Error(`${scores.length} scores for ${texts} texts`));
  return scores.toSorted((a, b) => b.score - a.score || a.index - b.index);
}

export function unfit(cause: Error): RaglineError {
  return new RaglineError("dependency_failed", "The reranking endpoint's answer cannot be used.", { cause });
}
