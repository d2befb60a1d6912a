import type { CallOptions } from "../types.ts";
import type { Stages } from "./stages.ts";

/** Step 4: the query's vector; null where the model knows nothing in it. */
export async function embedQuery(stages: Stages, query: string, call: CallOptions): Promise<Float32Array | null> {
  const [vector] = await stages.embedder.embed([query], "query", call);
  return vector?.some((value) => value !== 0) ? vector : null;
}
