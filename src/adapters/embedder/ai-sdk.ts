import type { AiSdkEmbeddingModel } from "../../ai-sdk-models.ts";
import type { Embedder } from "../../ports/embedder.ts";
import type { TokenCounter } from "../../ports/token-counter.ts";
import type { CallOptions } from "../../types.ts";
import { aiSdkFailure } from "../ai-sdk/failure.ts";
import { inBatches } from "../http/batches.ts";
import { cutTo } from "../http/cut.ts";
import { exceptBlank, unitVector, unusable } from "../http/vectors.ts";

export interface AiSdkEmbedderOptions {
  readonly model: AiSdkEmbeddingModel;
  readonly dimensions: number;
  readonly queryPrefix: string;
  readonly passagePrefix: string;
  /** Longer texts are cut; counted by `counter`. */
  readonly inputTokensMax: number;
  readonly batchTextsMax: number;
  readonly counter: TokenCounter;
}

/** Any embedding model of the AI SDK. */
export function createAiSdkEmbedder(options: AiSdkEmbedderOptions): Embedder {
  const { model, dimensions } = options;

  async function send(values: readonly string[], call: CallOptions): Promise<Float32Array[]> {
    try {
      const { embeddings, usage } = await model.doEmbed({ values: [...values], abortSignal: call.signal });
      if (embeddings.length !== values.length)
        throw unusable(`${embeddings.length} vectors for ${values.length} texts`);
      if (usage && Number.isSafeInteger(usage.tokens)) call.onTokens?.(usage.tokens);
      return embeddings.map((vector) => unitVector(vector, dimensions));
    } catch (cause) {
      throw aiSdkFailure(cause, call.signal);
    }
  }

  return {
    model: `${model.provider}/${model.modelId}/${dimensions}`,
    dimensions,
    remote: true,
    embed(texts, kind, call) {
      const prefix = kind === "query" ? options.queryPrefix : options.passagePrefix;
      return exceptBlank(texts, dimensions, async (said) => {
        const inputs = said.map((text) => cutTo(prefix + text, options.inputTokensMax, options.counter));
        const most = (await model.maxEmbeddingsPerCall) ?? options.batchTextsMax;
        return inBatches(inputs, Math.min(most, options.batchTextsMax), (batch) => send(batch, call));
      });
    },
  };
}
