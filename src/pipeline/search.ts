import type { CallOptions, Filter, Scope, ScoredPassage } from "../types.ts";
import { fuse } from "./fuse.ts";
import type { Stages } from "./stages.ts";

/** Step 5: both legs of the index, fused into one list of the `top` best. */
export async function search(
  stages: Stages,
  question: { readonly scope: Scope; readonly filter: Filter | null },
  query: string,
  vector: Float32Array | null,
  call: CallOptions,
): Promise<ScoredPassage[]> {
  const limit = stages.settings.top;
  const legs = { text: query, limit, ...(vector && { vector }), ...(question.filter && { filter: question.filter }) };
  const result = await stages.index.search(question.scope, legs, call);
  return fuse(result, query, limit, stages.words);
}
