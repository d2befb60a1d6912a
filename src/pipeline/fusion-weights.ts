import { weightsFor } from "../fusion/weights.ts";
import type { VectorWeights } from "../ports/fusion-store.ts";
import type { CallOptions, Scope } from "../types.ts";
import type { Stages } from "./stages.ts";

/** How the legs are fused for this query, as configured or learned. */
export async function fusionWeights(
  { index, settings }: { readonly index: Stages["index"]; readonly settings: Pick<Stages["settings"], "fusion"> },
  scope: Scope,
  query: string,
  call: CallOptions,
): Promise<VectorWeights> {
  const learned = settings.fusion === "learned" ? await index.fusion?.load(scope, call) : null;
  return weightsFor(settings.fusion, learned ?? null, query);
}
