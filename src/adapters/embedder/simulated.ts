import type { Embedder } from "../../ports/embedder.ts";
import { type BatchServerOptions, batchServer } from "../simulated/batch-server.ts";
import { createStaticEmbedder } from "./static.ts";

/** An emulated embedding server: vectors of `static`, given out when an embedding server would. */
export function createSimulatedEmbedder(options: BatchServerOptions): Embedder {
  const embedder = createStaticEmbedder();
  const serve = batchServer(options);
  return {
    ...embedder,
    model: `simulated/${embedder.model}`,
    async embed(texts, kind, call) {
      if (texts.length > 0) await serve(texts.length, call);
      return embedder.embed(texts, kind, call);
    },
  };
}
