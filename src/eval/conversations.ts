import { type Metrics, mean, score } from "./metrics.ts";
import type { Conversation } from "./sets.ts";

/** How a conversation's last question is searched: as asked, as the pipeline rewrites it, as the set's own rewrite. */
export const WAYS = ["asked", "rewritten", "official"] as const;
export type Way = (typeof WAYS)[number];

/** Passage ids, best first: by text alone, and by the whole pipeline. */
export interface Ranked {
  readonly text: readonly string[];
  readonly pipeline: readonly string[];
}

export interface Outcome {
  readonly turn: number;
  readonly ways: Readonly<Record<Way, { readonly text: Metrics; readonly pipeline: Metrics }>>;
  /** Whether the search of the question as asked would do for the official rewrite; null: it stands alone, nothing is rewritten. */
  readonly accepted: boolean | null;
}

/** One row of the report: a turn number, or all. */
export interface TurnRow {
  readonly turn: number | "all";
  readonly questions: number;
  readonly text: Readonly<Record<Way, number>>;
  readonly pipeline: Readonly<Record<Way, number>>;
}

export interface ConversationReport {
  readonly rows: readonly TurnRow[];
  /** Follow-ups whose early search would be used, of all follow-ups, and the recall@5 that costs on average (below 0: gains). */
  readonly ahead: { readonly followUps: number; readonly accepted: number; readonly recallLoss: number };
}

export function scored(
  turn: number,
  grades: Conversation["grades"],
  ranked: Record<Way, Ranked>,
  accepted: boolean | null,
): Outcome {
  const of = (way: Way) => ({ text: score(ranked[way].text, grades), pipeline: score(ranked[way].pipeline, grades) });
  return { turn, ways: { asked: of("asked"), rewritten: of("rewritten"), official: of("official") }, accepted };
}

/** nDCG@10 by turn number, then over all. */
export function report(outcomes: readonly Outcome[]): ConversationReport {
  const turns = [...new Set(outcomes.map(({ turn }) => turn))].sort((a, b) => a - b);
  const row = (turn: TurnRow["turn"], of: readonly Outcome[]): TurnRow => {
    const ndcg = (leg: "text" | "pipeline", way: Way) => mean(of.map(({ ways }) => ways[way][leg]))["ndcg@10"];
    const leg = (name: "text" | "pipeline") => ({
      asked: ndcg(name, "asked"),
      rewritten: ndcg(name, "rewritten"),
      official: ndcg(name, "official"),
    });
    return { turn, questions: of.length, text: leg("text"), pipeline: leg("pipeline") };
  };
  const followUps = outcomes.filter(({ accepted }) => accepted !== null);
  const accepted = followUps.filter((one) => one.accepted === true);
  const loss = accepted.map(({ ways }) => ways.official.pipeline["recall@5"] - ways.asked.pipeline["recall@5"]);
  const recallLoss = loss.length === 0 ? 0 : loss.reduce((sum, one) => sum + one, 0) / loss.length;
  return {
    rows: [
      ...turns.map((turn) =>
        row(
          turn,
          outcomes.filter((one) => one.turn === turn),
        ),
      ),
      row("all", outcomes),
    ],
    ahead: { followUps: followUps.length, accepted: accepted.length, recallLoss },
  };
}
