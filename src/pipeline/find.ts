import type { Run } from "../run.ts";
import type { ScoredPassage } from "../types.ts";
import { embedQuery } from "./embed.ts";
import { FALLBACKS, searchOrder } from "./fallbacks.ts";
import { rerank } from "./rerank.ts";
import { isSettled } from "./rewrite.ts";
import { search } from "./search.ts";
import type { Question, Stages } from "./stages.ts";

export interface Found {
  /** The best, as an answer would quote them. */
  readonly hits: readonly ScoredPassage[];
  /** What search found, in its order. */
  readonly found: readonly ScoredPassage[];
}

/** The question's vector before its turn, while its conversation is loaded; null: the conversation may change what is searched for. */
export function embedAhead(stages: Stages, question: Question, run: Run): Promise<Float32Array | null> | null {
  if (!isSettled(stages, question)) return null;
  return run.ahead("embed", (call) => embedQuery(stages, question.scope, question.question, call));
}

/** The steps 4 and 5. `ahead`: the query's vector, where it is under way. */
export async function searchFor(
  stages: Stages,
  asked: Pick<Question, "scope" | "filter"> & { readonly query: string },
  run: Run,
  ahead: Promise<Float32Array | null> | null = null,
): Promise<{ readonly vector: Float32Array | null; readonly found: ScoredPassage[] }> {
  const { scope, query } = asked;
  const vector = await run.may("embed", (call) => ahead ?? embedQuery(stages, scope, query, call), FALLBACKS.embed);
  return { vector, found: await run.must("search", (call) => search(stages, asked, query, vector, call)) };
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
  const { found } = await searchFor(stages, asked, run);
  const inOrder = searchOrder(found, keep);
  if (!stages.reranker || !asked.rerank) return { hits: inOrder.value, found };
  const hits = await run.may("rerank", (call) => rerank(stages, query, found, keep, call), inOrder);
  return { hits, found };
}
