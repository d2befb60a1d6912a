import { isUsed } from "../fusion/weights.ts";
import type { VectorWeights } from "../ports/fusion-store.ts";
import type { CallOptions, Filter, Scope, ScoredPassage } from "../types.ts";
import { collapseDuplicates } from "./duplicates.ts";
import { fuse } from "./fuse.ts";
import { fusionWeights } from "./fusion-weights.ts";
import type { FoundByText } from "./own-topic.ts";
import type { Stages } from "./stages.ts";

/** Where duplicates leave too few passages: how many more hits are looked at, once. */
const DEEPER = 5;
/** Hits a leg at least, whatever is wanted: the last one tells what the rest score, and weights are learned with so many. */
const HITS_MIN = 20;

interface Asked {
  readonly scope: Scope;
  readonly filter: Filter | null;
}

/** While the query's vector is on its way: lets the index and the fusion do what can be done without it. */
export function expectSearch(
  { index, settings, words }: Stages,
  { scope, filter }: Asked,
  query: string,
  weights: VectorWeights,
  call: CallOptions,
): void {
  if (!isUsed(weights).text) return;
  index
    .expect?.(scope, { text: query, limit: Math.max(settings.top, HITS_MIN), ...(filter && { filter }) }, call)
    .catch(() => undefined);
  words.ofQuery(query);
}

/** By words alone, with the scores of the text leg. */
export async function searchText(
  { index }: Pick<Stages, "index">,
  { scope, filter }: Asked,
  query: string,
  call: CallOptions,
): Promise<FoundByText> {
  const { byText } = await index.search(scope, { text: query, limit: HITS_MIN, ...(filter && { filter }) }, call);
  return { hits: byText, isAll: byText.length < HITS_MIN };
}

export type SearchStages = Pick<Stages, "index" | "words"> & {
  readonly settings: Pick<Stages["settings"], "fusion" | "top" | "keep">;
};

/** Step 5: the legs of the index that weigh something, fused into one list of the `top` best, passages that say the same as one. */
export async function search(
  stages: SearchStages,
  { scope, filter }: Asked,
  query: string,
  vector: Float32Array | null,
  call: CallOptions,
  weighing = fusionWeights(stages, scope, query, call),
): Promise<ScoredPassage[]> {
  const weights = await weighing;
  const { top, keep } = stages.settings;
  const wanted = {
    ...((isUsed(weights).text || !vector) && { text: query }),
    ...(vector && { vector }),
    ...(filter && { filter }),
  };
  const find = async (limit: number) => {
    const result = await stages.index.search(scope, { ...wanted, limit }, call);
    const fused = fuse(result, query, limit, weights, stages.words);
    return { isFull: fused.length === limit, distinct: collapseDuplicates(fused, stages.words) };
  };
  const hits = Math.max(top, HITS_MIN);
  const first = await find(hits);
  const { distinct } = first.isFull && first.distinct.length < Math.min(keep, top) ? await find(hits * DEEPER) : first;
  return distinct.slice(0, top);
}
