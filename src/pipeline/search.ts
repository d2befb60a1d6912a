import type { CallOptions, Filter, Scope, ScoredPassage } from "../types.ts";
import { collapseDuplicates } from "./duplicates.ts";
import { fuse } from "./fuse.ts";
import type { Stages } from "./stages.ts";

/** Where duplicates leave too few passages: how many more hits are looked at, once. */
const DEEPER = 5;

/** Step 5: both legs of the index, fused into one list of the `top` best, passages that say the same as one. */
export async function search(
  stages: Stages,
  question: { readonly scope: Scope; readonly filter: Filter | null },
  query: string,
  vector: Float32Array | null,
  call: CallOptions,
): Promise<ScoredPassage[]> {
  const { top, keep } = stages.settings;
  const find = async (limit: number) => {
    const legs = { text: query, limit, ...(vector && { vector }), ...(question.filter && { filter: question.filter }) };
    const fused = fuse(await stages.index.search(question.scope, legs, call), query, limit, stages.words);
    return { isFull: fused.length === limit, distinct: collapseDuplicates(fused) };
  };
  const first = await find(top);
  if (!first.isFull || first.distinct.length >= Math.min(keep, top)) return first.distinct;
  return (await find(top * DEEPER)).distinct.slice(0, top);
}
