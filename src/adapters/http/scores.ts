import { RaglineError } from "../../errors.ts";
import type { RerankScore } from "../../ports/reranker.ts";
import { bestFirst } from "../../statistics.ts";

/** An upstream's scores, best first and equal ones in the order of the texts. @throws RaglineError: they do not fit `texts` texts. */
export function allScores(scores: readonly RerankScore[], texts: number): RerankScore[] {
  return bestFirst(inOrder(scores, texts));
}

/** What an upstream sent, a list of `{index, score}`, as the scores of `texts` texts in their order. @throws RaglineError: they do not fit */
export function inOrder(answer: unknown, texts: number): number[] {
  if (!Array.isArray(answer)) throw unfit(new Error("not a list of scores"));
  const scores: number[] = [];
  for (const one of answer) {
    const { index, score } = (one ?? {}) as { readonly index?: unknown; readonly score?: unknown };
    const isOne = Number.isSafeInteger(index) && Number(index) >= 0 && Number(index) < texts;
    if (!isOne || !Number.isFinite(score)) throw unfit(new Error("a score that is no number, or of no text"));
    scores[Number(index)] = Number(score);
  }
  // Each text has one where as many were sent as are left without their doubles.
  if (answer.length !== texts || Object.keys(scores).length !== texts) {
    throw unfit(new Error(`${answer.length} scores for ${texts} texts`));
  }
  return scores;
}

export function unfit(cause: Error): RaglineError {
  return new RaglineError("dependency_failed", "The reranking endpoint's answer cannot be used.", { cause });
}
