import { type StubHandler, sendJson } from "./stub-server.ts";

/** A stand-in for a model: counts the words of the query that a text shares, by their first two letters. */
export function overlap(query: string, texts: readonly string[]): { index: number; score: number }[] {
  const stems = query.split(/\s+/).map((word) => word.slice(0, 2));
  const scores = texts.map((text, index) => {
    return { index, score: stems.filter((stem) => stem && text.toLowerCase().includes(stem)).length / 10 };
  });
  return scores.toReversed().sort((a, b) => b.score - a.score);
}

/** `/info` of text-embeddings-inference 1.8, as its API document shows it. */
export const teiInfo = {
  model_id: "thenlper/gte-base",
  model_sha: "fca14538aa9956a46526bd1d0d11d69e19b5a101",
  model_dtype: "float16",
  model_type: { embedding: { pooling: "cls" } },
  max_concurrent_requests: 128,
  max_input_length: 512,
  max_batch_tokens: 2048,
  max_batch_requests: null,
  max_client_batch_size: 8,
  auto_truncate: false,
  tokenization_workers: 4,
  version: "1.8.2",
  sha: null,
  docker_label: null,
};

/** Answers as text-embeddings-inference does: `/info`, and `handler` for the rest, whose batches it bounds. */
export function tei(handler: StubHandler, info: object = teiInfo): StubHandler {
  return (request, response) => {
    if (request.path === "/info") return sendJson(response, info);
    const batch = (request.body.inputs ?? request.body.texts) as readonly string[];
    const most = (info as typeof teiInfo).max_client_batch_size;
    if (batch.length <= most) return handler(request, response);
    const error = `batch size ${batch.length} > maximum allowed batch size ${most}`;
    return sendJson(response, { error, error_type: "Validation" }, 413);
  };
}

/** `/rerank` of text-embeddings-inference: best first. */
export const teiRerank: StubHandler = ({ body }, response) =>
  sendJson(response, overlap(String(body.query), body.texts as string[]));

/** `/v1/rerank` of Cohere, Jina and vLLM: the shapes of their API references. */
export const cohereRerank =
  (vendor: "cohere" | "jina" | "vllm"): StubHandler =>
  ({ body }, response) => {
    const documents = body.documents as string[];
    const ranked = overlap(String(body.query), documents);
    const results = ranked.map(({ index, score }) => ({ index, relevance_score: score }));
    const withText = results.map((result) => ({ ...result, document: { text: documents[result.index] } }));
    if (vendor === "cohere") {
      const meta = { api_version: { version: "2" }, billed_units: { search_units: 1 }, tokens: { input_tokens: 77 } };
      return sendJson(response, { id: "07734bd2-2473-4f07-94e1-0d9f0e6843cf", results, meta });
    }
    if (vendor === "jina") {
      const usage = { total_tokens: 77 };
      return sendJson(response, {
        model: body.model,
        object: "list",
        usage,
        results: body.return_documents === false ? results : withText,
      });
    }
    return sendJson(response, {
      id: "rerank-fae51b2b",
      model: body.model,
      usage: { prompt_tokens: 77, total_tokens: 77 },
      results: withText,
    });
  };
