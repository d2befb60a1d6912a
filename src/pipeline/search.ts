import { isUsed } from "../fusion/weights.ts";
import type { CallOptions, Filter, Scope, ScoredPassage } from "../types.ts";
import { collapseDuplicates } from "./duplicates.ts";
import { fuse } from "./fuse.ts";
import { fusionWeights } from "./fusion-weights.ts";
import type { Stages } from "./stages.ts";

/** Where duplicates leave too few passages: how many more hits are looked at, once. */
const DEEPER = 5;

/** Step 5: the legs of the index that weigh something, fused into one list of the `top` best, passages that say the same as one. */
export async function search(
  stages: Stages,
  question: { readonly scope: Scope; readonly filter: Filter | null },
  query: string,
  vector: Float32Array | null,
  call: CallOptions,
): Promise<ScoredPassage[]> {
  const { top, keep } = stages.settings;
  const weights = await fusionWeights(stages, question.scope, query, call);
  const wanted = {
    ...((isUsed(weights).text || !vector) && { text: query }),
    ...(vector && { vector }),
    ...(question.filter && { filter: question.filter }),
  };
  const find = async (limit: number) => {
    const result = await stages.index.search(question.scope, { ...wanted, limit }, call);
    const fused = fuse(result, query, limit, weights, stages.words);
    return { isFull: fused.length === limit, distinct: collapseDuplicates(fused) };
  };
  const first = await find(top);
  if (!first.isFull || first.distinct.length >= Math.min(keep, top)) return first.distinct;
  return (await find(top * DEEPER)).distinct.slice(0, top);
}
