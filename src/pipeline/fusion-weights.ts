import { weightsFor } from "../fusion/weights.ts";
import type { CallOptions, Scope, VectorWeights } from "../types.ts";
import type { Stages } from "./stages.ts";

/** How the legs are fused for this query, as configured or learned. */
export async function fusionWeights(
  { index, settings }: Stages,
  scope: Scope,
  query: string,
  call: CallOptions,
): Promise<VectorWeights> {
  const learned = settings.fusion === "learned" ? await index.fusion?.load(scope, call) : null;
  return weightsFor(settings.fusion, learned ?? null, query);
}
