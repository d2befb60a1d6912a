import { weightsFor } from "../fusion/weights.ts";
import type { VectorWeights } from "../ports/fusion-store.ts";
import type { CallOptions, Scope } from "../types.ts";
import type { Stages } from "./stages.ts";

/** What is learned changes once in days: looked up on a server, it is not looked up for every question. */
const AGE_MAX_MS = 1000;

/** How the legs are fused for this query, as configured or learned. */
export async function fusionWeights(
  { index, settings }: { readonly index: Stages["index"]; readonly settings: Pick<Stages["settings"], "fusion"> },
  scope: Scope,
  query: string,
  call: CallOptions,
): Promise<VectorWeights> {
  const { signal, deadline, asOf: wanted = Number.POSITIVE_INFINITY } = call;
  const asOf = Math.min(wanted, performance.now() - AGE_MAX_MS);
  const learned = settings.fusion === "learned" ? await index.fusion?.load(scope, { signal, deadline, asOf }) : null;
  return weightsFor(settings.fusion, learned ?? null, query);
}
