import { isUsed } from "../fusion/weights.ts";
import { nonZero } from "../statistics.ts";
import type { CallOptions, Scope } from "../types.ts";
import { fusionWeights } from "./fusion-weights.ts";
import type { Stages } from "./stages.ts";

/** Step 4: the query's vector; null where vectors weigh nothing for this query, or the model knows nothing in it. */
export async function embedQuery(
  stages: Stages,
  scope: Scope,
  query: string,
  call: CallOptions,
  weights = fusionWeights(stages, scope, query, call),
): Promise<Float32Array | null> {
  if (!isUsed(await weights).vector) return null;
  const [vector] = await stages.embedder.embed([query], "query", call);
  return nonZero(vector);
}
