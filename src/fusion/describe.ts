import type { Fusion } from "../ports/fusion-store.ts";
import { current, type FusionChoice, LANGUAGES, PRIOR } from "./weights.ts";

/** How a collection's legs are fused, for a status page. */
export interface FusionStatus {
  readonly from: "learned" | "prior" | "fixed";
  /** What vectors weigh, by the question's language, and how many questions that was learned from. */
  readonly weights: Readonly<
    Record<string, { readonly uncovered: number; readonly covered: number; readonly questions: number }>
  >;
}

export function fusionStatus(choice: FusionChoice, stored: Fusion | null): FusionStatus {
  const learned = current(stored);
  if (choice === "learned" && learned) return { from: "learned", weights: learned.weights };
  const same = { ...(choice === "learned" ? PRIOR : choice), questions: 0 };
  const weights = Object.fromEntries(LANGUAGES.map((language) => [language, same]));
  return { from: choice === "learned" ? "prior" : "fixed", weights };
}
