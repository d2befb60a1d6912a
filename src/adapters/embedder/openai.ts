import { z } from "zod";
import { RaglineError } from "../../errors.ts";
import type { Embedder } from "../../ports/embedder.ts";
import { postJson } from "../http/post.ts";

export interface OpenAiEmbedderOptions {
  /** Up to and with `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly dimensions: number;
  readonly apiKey?: string | undefined;
  readonly queryPrefix: string;
  readonly passagePrefix: string;
}

const responseSchema = z.object({
  // The values are checked as they are copied: there are hundreds a question.
  data: z.array(z.object({ index: z.int().min(0), embedding: z.custom<number[]>(Array.isArray, "must be a list") })),
});

/** Any endpoint that speaks OpenAI's embeddings: OpenAI, vLLM, Ollama, text-embeddings-inference, … */
export function createOpenAiEmbedder(options: OpenAiEmbedderOptions): Embedder {
  const { model, dimensions } = options;
  const endpoint = { url: `${options.baseUrl.replace(/\/+$/, "")}/embeddings`, apiKey: options.apiKey };
  return {
    model: `${model}/${dimensions}`,
    dimensions,
    remote: true,
    async embed(texts, kind, { signal }) {
      if (texts.length === 0) return [];
      const prefix = kind === "query" ? options.queryPrefix : options.passagePrefix;
      const input = texts.map((text) => prefix + text);
      const answer = responseSchema.safeParse(await postJson(endpoint, { model, input }, signal));
      if (!answer.success) throw unusable(`not an embeddings response: ${answer.error.message}`);
      const vectors: Float32Array[] = [];
      for (const { index, embedding } of answer.data.data) {
        if (embedding.length !== dimensions) {
          throw unusable(`${embedding.length} values in a vector, but embed.dimensions says ${dimensions}`);
        }
        vectors[index] = unit(Float32Array.from(embedding));
      }
      if (Object.keys(vectors).length !== texts.length || vectors.length !== texts.length) {
        throw unusable(`${answer.data.data.length} vectors for ${texts.length} texts`);
      }
      return vectors;
    },
  };
}

function unit(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const norm = Math.sqrt(sum);
  return norm > 0 ? vector.map((value) => value / norm) : vector;
}

function unusable(reason: string): RaglineError {
  return new RaglineError("dependency_failed", "The embedding endpoint's answer cannot be used.", {
    retryable: false,
    cause: new Error(reason),
  });
}
