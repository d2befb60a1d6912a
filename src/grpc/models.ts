import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { Reranker } from "../ports/reranker.ts";
import { deltaMessage, type GenerateRequestMessage, generateFrom } from "../wire/generate.ts";
import type { EmbedRequest, EmbedResponse, RerankRequest, RerankResponse } from "../wire/messages.ts";
import { packed } from "../wire/vectors.ts";
import { type Handler, type Serving, serverStream, unary } from "./handlers.ts";

export type Handlers = Readonly<Record<string, Handler>>;

/** Characters, of which a model's work is about proportional. */
const sizeOf = (texts: readonly string[]) => texts.reduce((sum, { length }) => sum + length, 0);

export function embedHandlers(embedder: Embedder, serving: Serving): Handlers {
  const embed = async (
    { texts, kind }: EmbedRequest,
    call: Parameters<Embedder["embed"]>[2],
  ): Promise<EmbedResponse> => {
    const vectors = await embedder.embed(texts, kind === "PASSAGE" ? "passage" : "query", call);
    const { model, dimensions } = embedder;
    return { model, dimensions, vectors: packed(vectors) };
  };
  return { embed: unary(serving, embed, ({ texts }) => sizeOf(texts)) };
}

export function rerankHandlers(reranker: Reranker, serving: Serving): Handlers {
  const rerank = async (
    { query, texts }: RerankRequest,
    call: Parameters<Reranker["rerank"]>[2],
  ): Promise<RerankResponse> => {
    const ranked = await reranker.rerank(query, texts, call);
    const indices = ranked.map(({ index }) => index);
    return { model: reranker.model, indices, scores: ranked.map(({ score }) => score) };
  };
  return { rerank: unary(serving, rerank, ({ query, texts }) => sizeOf(texts) + texts.length * query.length) };
}

export function generateHandlers(model: LanguageModel, serving: Serving): Handlers {
  async function* generate(request: GenerateRequestMessage, call: Parameters<LanguageModel["stream"]>[1]) {
    for await (const delta of model.stream(generateFrom(request), call)) yield deltaMessage(delta);
  }
  return { generate: serverStream(serving, generate) };
}
