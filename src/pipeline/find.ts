import type { Run } from "../run.ts";
import type { ScoredPassage } from "../types.ts";
import { embedQuery } from "./embed.ts";
import { FALLBACKS, searchOrder } from "./fallbacks.ts";
import { rerank } from "./rerank.ts";
import { search } from "./search.ts";
import type { Question, Stages } from "./stages.ts";

export interface Found {
  /** The best, as an answer would quote them. */
  readonly hits: readonly ScoredPassage[];
  /** What search found, in its order. */
  readonly found: readonly ScoredPassage[];
}

/** The steps 4 to 6 alone: passages for a query, without an answer. */
export async function find(
  stages: Stages,
  asked: Pick<Question, "scope" | "filter"> & {
    readonly query: string;
    readonly keep: number;
    readonly rerank: boolean;
  },
  run: Run,
): Promise<Found> {
  const { query, keep } = asked;
  const vector = await run.may("embed", (call) => embedQuery(stages, asked.scope, query, call), FALLBACKS.embed);
  const searched = (call: Parameters<typeof search>[4]) => search(stages, asked, query, vector, call);
  const found = await run.must("search", searched);
  const inOrder = searchOrder(found, keep);
  if (!stages.reranker || !asked.rerank) return { hits: inOrder.value, found };
  const hits = await run.may("rerank", (call) => rerank(stages, query, found, keep, call), inOrder);
  return { hits, found };
}
