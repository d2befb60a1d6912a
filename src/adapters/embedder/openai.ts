import type { Embedder, EmbedKind } from "../../ports/embedder.ts";
import type { TokenCounter } from "../../ports/token-counter.ts";
import type { CallOptions } from "../../types.ts";
import { inBatches } from "../http/batches.ts";
import { cutTo } from "../http/cut.ts";
import { OptionalFields } from "../http/optional-fields.ts";
import { Endpoint, postJson } from "../http/post.ts";
import { type NamedVector, SameSpace } from "../http/same-space.ts";
import { reportServed } from "../http/served.ts";
import { exceptBlank, type HttpEmbedderOptions, unitVector, unusable } from "../http/vectors.ts";

export interface OpenAiEmbedderOptions extends HttpEmbedderOptions {
  /** Longer texts are cut; counted by `counter`. */
  readonly inputTokensMax: number;
  /** Texts a call. */
  readonly batchTextsMax: number;
  readonly counter: TokenCounter;
  /** Further fields of each request, and of those for questions and passages alone. */
  readonly body?: Fields | undefined;
  readonly queryBody?: Fields | undefined;
  readonly passageBody?: Fields | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** What of a response is read, as far as it is there. */
interface Answer {
  readonly model?: unknown;
  readonly data?: readonly ({ readonly index?: unknown; readonly embedding?: unknown } | null)[];
  readonly usage?: { readonly prompt_tokens?: unknown } | null;
}

/**
 * Any endpoint that speaks OpenAI's embeddings: OpenAI, vLLM, Ollama, llama.cpp, … Asks for base64, a third of the bytes, and
 * reads either. A server that answers with another model under the same name fails, as its vectors would be compared with the old ones.
 */
export function createOpenAiEmbedder(options: OpenAiEmbedderOptions): Embedder {
  const { model, dimensions } = options;
  const endpoint = Endpoint.under(options.baseUrl, "/embeddings", options);
  const encoding = new OptionalFields({ encoding_format: "base64" });

  const bodies = {
    query: { ...options.body, ...options.queryBody },
    passage: { ...options.body, ...options.passageBody },
  };
  const space = new SameSpace();

  async function one(text: string, kind: EmbedKind, call: CallOptions): Promise<NamedVector> {
    const { model: answering, vectors } = await post([text], kind, call);
    return { model: answering, vector: vectors[0] ?? new Float32Array(dimensions) };
  }

  async function send(input: readonly string[], kind: EmbedKind, call: CallOptions): Promise<Float32Array[]> {
    const { model: answering, vectors } = await post(input, kind, call);
    const [text, vector] = [input[0], vectors[0]];
    const again = (call: CallOptions) => one(text ?? "", kind, call);
    const strangers = text && vector ? await space.stranger({ model: answering, vector }, again, call) : null;
    if (strangers)
      throw unusable(`another model answers under the name ${model}`, new Error(strangers.join(", then ")));
    return vectors;
  }

  async function post(input: readonly string[], kind: EmbedKind, call: CallOptions) {
    const sent = (fields: object) => postJson(endpoint, { ...bodies[kind], model, input, ...fields }, call.signal);
    const { value, headers } = await encoding.send(sent);
    reportServed(headers, call);
    const { model: answering, data, usage } = (value ?? {}) as Answer;
    if (!Array.isArray(data)) throw unusable("not an embeddings response: it has no list `data`");
    const vectors: Float32Array[] = [];
    for (const one of data) {
      const { index, embedding } = one ?? {};
      if (typeof index !== "number" || input[index] === undefined)
        throw unusable("a vector for a text that was not sent");
      vectors[index] = unitVector(embedding, dimensions);
    }
    if (Object.keys(vectors).length !== input.length)
      throw unusable(`${data.length} vectors for ${input.length} texts`);
    const tokens = Number(usage?.prompt_tokens);
    if (Number.isSafeInteger(tokens) && tokens >= 0) call.onTokens?.(tokens);
    return { model: answering, vectors };
  }

  return {
    model: `${model}/${dimensions}`,
    dimensions,
    remote: true,
    async embed(texts, kind, call) {
      const prefix = kind === "query" ? options.queryPrefix : options.passagePrefix;
      return exceptBlank(texts, dimensions, (said) => {
        const inputs = said.map((text) => cutTo(prefix + text, options.inputTokensMax, options.counter));
        return inBatches(inputs, options.batchTextsMax, (batch) => send(batch, kind, call));
      });
    },
  };
}
