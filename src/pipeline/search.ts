import { isUsed } from "../fusion/weights.ts";
import type { CallOptions, Filter, Scope, ScoredPassage } from "../types.ts";
import { fuse } from "./fuse.ts";
import { fusionWeights } from "./fusion-weights.ts";
import type { Stages } from "./stages.ts";

/** Step 5: the legs of the index that weigh something, fused into one list of the `top` best. */
export async function search(
  stages: Stages,
  question: { readonly scope: Scope; readonly filter: Filter | null },
  query: string,
  vector: Float32Array | null,
  call: CallOptions,
): Promise<ScoredPassage[]> {
  const limit = stages.settings.top;
  const weights = await fusionWeights(stages, question.scope, query, call);
  const legs = {
    limit,
    ...((isUsed(weights).text || !vector) && { text: query }),
    ...(vector && { vector }),
    ...(question.filter && { filter: question.filter }),
  };
  const result = await stages.index.search(question.scope, legs, call);
  return fuse(result, query, limit, weights, stages.words);
}
