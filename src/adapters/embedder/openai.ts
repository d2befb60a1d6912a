import { z } from "zod";
import type { Embedder } from "../../ports/embedder.ts";
import type { TokenCounter } from "../../ports/token-counter.ts";
import type { CallOptions } from "../../types.ts";
import { inBatches } from "../http/batches.ts";
import { cutTo } from "../http/cut.ts";
import { OptionalFields } from "../http/optional-fields.ts";
import { postJson } from "../http/post.ts";
import { reportServed } from "../http/served.ts";
import { exceptBlank, type HttpEmbedderOptions, unitVector, unusable } from "../http/vectors.ts";

export interface OpenAiEmbedderOptions extends HttpEmbedderOptions {
  /** Longer texts are cut; counted by `counter`. */
  readonly inputTokensMax: number;
  /** Texts a call. */
  readonly batchTextsMax: number;
  readonly counter: TokenCounter;
}

const responseSchema = z.object({
  // The values are checked as they are copied: there are hundreds a question.
  data: z.array(z.object({ index: z.int().min(0), embedding: z.unknown() })),
  usage: z
    .object({ prompt_tokens: z.int().min(0) })
    .nullish()
    .catch(null),
});

/**
 * Any endpoint that speaks OpenAI's embeddings: OpenAI, vLLM, Ollama, llama.cpp, … Asks for base64, a third of the bytes, and
 * reads either.
 */
export function createOpenAiEmbedder(options: OpenAiEmbedderOptions): Embedder {
  const { model, dimensions } = options;
  const endpoint = { url: `${options.baseUrl.replace(/\/+$/, "")}/embeddings`, apiKey: options.apiKey };
  const encoding = new OptionalFields({ encoding_format: "base64" });

  async function send(input: readonly string[], call: CallOptions): Promise<Float32Array[]> {
    const sent = (fields: object) => postJson(endpoint, { model, input, ...fields }, call.signal);
    const { value, headers } = await encoding.send(sent);
    reportServed(headers, call);
    const answer = responseSchema.safeParse(value);
    if (!answer.success) throw unusable(`not an embeddings response: ${answer.error.message}`);
    const { data, usage } = answer.data;
    const vectors: Float32Array[] = [];
    for (const { index, embedding } of data) vectors[index] = unitVector(embedding, dimensions);
    if (Object.keys(vectors).length !== input.length || vectors.length !== input.length) {
      throw unusable(`${data.length} vectors for ${input.length} texts`);
    }
    if (usage) call.onTokens?.(usage.prompt_tokens);
    return vectors;
  }

  return {
    model: `${model}/${dimensions}`,
    dimensions,
    remote: true,
    async embed(texts, kind, call) {
      const prefix = kind === "query" ? options.queryPrefix : options.passagePrefix;
      return exceptBlank(texts, dimensions, (said) => {
        const inputs = said.map((text) => cutTo(prefix + text, options.inputTokensMax, options.counter));
        return inBatches(inputs, options.batchTextsMax, (batch) => send(batch, call));
      });
    },
  };
}
