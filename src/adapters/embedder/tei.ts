import type { Embedder } from "../../ports/embedder.ts";
import type { CallOptions } from "../../types.ts";
import { inBatches } from "../http/batches.ts";
import { createTei } from "../http/tei.ts";
import { exceptBlank, type HttpEmbedderOptions, unitVector, unusable } from "../http/vectors.ts";

/** The `/embed` endpoint of text-embeddings-inference, which cuts what is too long by its model's own tokenizer. */
export function createTeiEmbedder(options: HttpEmbedderOptions): Embedder {
  const { model, dimensions } = options;
  const tei = createTei({ ...options, path: "/embed" });

  async function send(inputs: readonly string[], call: CallOptions): Promise<Float32Array[]> {
    const answer = await tei.post({ inputs, truncate: true, normalize: true }, call);
    if (!Array.isArray(answer)) throw unusable("not a list of vectors");
    if (answer.length !== inputs.length) throw unusable(`${answer.length} vectors for ${inputs.length} texts`);
    return answer.map((vector) => unitVector(vector, dimensions));
  }

  return {
    model: `${model}/${dimensions}`,
    dimensions,
    remote: true,
    async embed(texts, kind, call) {
      const prefix = kind === "query" ? options.queryPrefix : options.passagePrefix;
      return exceptBlank(texts, dimensions, async (said) => {
        const { batchTextsMax } = await tei.info(call);
        const inputs = said.map((text) => prefix + text);
        return inBatches(inputs, batchTextsMax, (batch) => send(batch, call));
      });
    },
  };
}
