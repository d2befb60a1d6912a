import type { Fusion, VectorWeights } from "../ports/fusion-store.ts";
import { type Language, languageOf } from "../text/language.ts";

/** Raise it when the same collection would be learned from differently. */
export const LEARNER_VERSION = 4;

/** For a collection that has not been learned from: vectors help where words are missing, and hurt least. */
export const PRIOR: VectorWeights = { uncovered: 0.3, covered: 0 };

/** How a deployment fuses: by what was learned, or the same for every collection. */
export type FusionChoice = "learned" | VectorWeights;

/** What was learned, unless of nothing, or in another way than now: before version 4 also from what only some may read. */
export function current(learned: Fusion | null): Fusion | null {
  return learned && learned.version === LEARNER_VERSION && learned.passages > 0 ? learned : null;
}

/** The weights for a question, by its language. */
export function weightsFor(choice: FusionChoice, learned: Fusion | null, question: string): VectorWeights {
  if (choice !== "learned") return choice;
  return current(learned)?.weights[languageOf(question)] ?? PRIOR;
}

/** What the vector leg weighs for a question whose best text hit covers so much of it. */
export function vectorWeight({ uncovered, covered }: VectorWeights, coverage: number): number {
  return uncovered + (covered - uncovered) * coverage;
}

/** Legs that weigh nothing whatever the coverage are not computed. */
export function isUsed({ uncovered, covered }: VectorWeights): { readonly text: boolean; readonly vector: boolean } {
  return { text: uncovered < 1 || covered < 1, vector: uncovered > 0 || covered > 0 };
}

export const LANGUAGES: readonly Language[] = ["ko", "en", "other"];
