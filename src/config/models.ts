import { z } from "zod";
import type { AiSdkEmbeddingModel, AiSdkLanguageModel, AiSdkRerankingModel } from "../ai-sdk-models.ts";
import {
  aiSdkModel,
  apiKey,
  batchTextsMax,
  contextTokensMax,
  count,
  dimensions,
  embedLimit,
  endpoints,
  generatePatience,
  hedgedEndpoints,
  httpUrls,
  inputTokensMax,
  milliseconds,
  oneEndpoint,
  patience,
  prefixes,
  reranking,
  silence,
  temperature,
  vectorCache,
} from "./fields.ts";
import { grpcClient } from "./grpc.ts";
import { embedBodies, generateBody, requestHeaders } from "./http-requests.ts";
import { onnx, onnxEmbedding } from "./onnx.ts";
import { simulatedEmbed, simulatedGenerate, simulatedRerank } from "./simulated.ts";

export const OPENAI_URL = "https://api.openai.com/v1";

/** The blocks of the steps that models do. */
export const embed = z.discriminatedUnion("use", [
  z.strictObject({
    use: z.literal("static").describe("`static`: Korean and English word vectors shipped with the package."),
    timeoutMs: embedLimit,
  }),
  z.strictObject({
    use: z.literal("hashing").describe("`hashing`: hashed character n-grams; for tests and other languages."),
    dimensions: z.int().min(64).max(4096).multipleOf(8).default(384).describe("Length of a vector."),
    timeoutMs: embedLimit,
  }),
  z.strictObject({
    use: z.literal("openai").describe("`openai`: any OpenAI-compatible `/embeddings` endpoint."),
    baseUrl: httpUrls.describe("Up to and with `/v1`."),
    model: z.string().min(1).describe("The model's name at the endpoint."),
    dimensions,
    apiKey,
    headers: requestHeaders,
    ...prefixes,
    ...embedBodies,
    inputTokensMax,
    batchTextsMax,
    timeoutMs: embedLimit,
    ...patience(32, 1024),
    ...vectorCache,
    ...hedgedEndpoints,
  }),
  z.strictObject({
    use: z.literal("tei").describe("`tei`: the `/embed` endpoint of text-embeddings-inference."),
    baseUrl: httpUrls.describe("The server, without `/embed`."),
    model: z.string().min(1).describe("The model that the server must serve, e.g. `BAAI/bge-m3`."),
    dimensions,
    apiKey,
    headers: requestHeaders,
    ...prefixes,
    timeoutMs: embedLimit,
    ...patience(32, 1024),
    ...vectorCache,
    ...hedgedEndpoints,
  }),
  z.strictObject({
    use: z.literal("ai-sdk").describe("`ai-sdk`: an embedding model of any AI SDK provider; in library use."),
    model: aiSdkModel<AiSdkEmbeddingModel>("doEmbed"),
    dimensions,
    ...prefixes,
    inputTokensMax,
    batchTextsMax,
    timeoutMs: embedLimit,
    ...patience(32, 1024),
    ...vectorCache,
    ...oneEndpoint,
  }),
  z.strictObject({
    use: z
      .literal("onnx")
      .describe(
        "`onnx`: a sentence embedder in a process of its own. Needs `npm install @huggingface/transformers@4 --onnxruntime-node-install=skip`.",
      ),
    ...onnx,
    ...onnxEmbedding,
    timeoutMs: embedLimit,
    ...vectorCache,
  }),
  simulatedEmbed,
  z.strictObject({
    use: z.literal("grpc").describe("`grpc`: processes of `ragline stage embed`."),
    ...grpcClient,
    ...hedgedEndpoints,
    timeoutMs: embedLimit,
    ...patience(256, 1024),
    ...vectorCache,
  }),
]);

export const rerank = z.discriminatedUnion("use", [
  z.strictObject({
    use: z.literal("lexical").describe("`lexical`: word overlap and proximity; no model."),
    ...reranking,
  }),
  z.strictObject({
    use: z.literal("tei").describe("`tei`: a `/rerank` endpoint of text-embeddings-inference."),
    baseUrl: httpUrls.describe("The server, without `/rerank`."),
    apiKey,
    headers: requestHeaders,
    ...reranking,
    ...patience(32, 1024),
    ...hedgedEndpoints,
  }),
  z.strictObject({
    use: z.literal("cohere").describe("`cohere`: a `/rerank` endpoint as Cohere, Jina, vLLM and LiteLLM serve it."),
    baseUrl: httpUrls.describe("Up to and with `/v1` or `/v2`."),
    model: z.string().min(1).describe("The model's name at the endpoint."),
    apiKey,
    headers: requestHeaders,
    inputTokensMax: count(4096, 1_000_000, "Longer passages are cut; tokens by `prompt.counter`."),
    ...reranking,
    ...patience(32, 1024),
    ...hedgedEndpoints,
  }),
  z.strictObject({
    use: z.literal("ai-sdk").describe("`ai-sdk`: a reranking model of any AI SDK provider; in library use."),
    model: aiSdkModel<AiSdkRerankingModel>("doRerank"),
    ...reranking,
    ...patience(32, 1024),
    ...oneEndpoint,
  }),
  z.strictObject({
    use: z
      .literal("onnx")
      .describe(
        "`onnx`: a cross-encoder in a process of its own. Needs `npm install @huggingface/transformers@4 --onnxruntime-node-install=skip`.",
      ),
    ...onnx,
    queueMax: count(
      1024,
      100_000,
      "Pairs of question and passage that may wait; further ones are refused with `overloaded`.",
    ),
    ...reranking,
  }),
  simulatedRerank,
  z.strictObject({
    use: z.literal("grpc").describe("`grpc`: processes of `ragline stage rerank`."),
    ...grpcClient,
    ...hedgedEndpoints,
    ...reranking,
    ...patience(256, 1024),
  }),
  z.strictObject({
    use: z.literal("none").describe("`none`: the order of search is kept."),
    keep: reranking.keep,
  }),
]);

export const generate = z.discriminatedUnion("use", [
  z.strictObject({
    use: z.literal("extractive").describe("`extractive`: quotes the best sentences; no model."),
    sentences: count(
      4,
      20,
      "Sentences quoted at most; of a table, a list or an announced block that one belongs to, the rows that hold most of the question's words come with it, up to 20 and an ellipsis.",
    ),
    ...silence,
  }),
  z.strictObject({
    use: z.literal("openai").describe("`openai`: any OpenAI-compatible `/chat/completions` endpoint."),
    baseUrl: httpUrls.default(OPENAI_URL).describe("Up to and with `/v1`."),
    model: z.string().min(1).default("gpt-4.1-mini").describe("The model's name at the endpoint."),
    apiKey,
    headers: requestHeaders,
    contextTokensMax,
    temperature,
    body: generateBody,
    ...silence,
    ...generatePatience,
    ...endpoints,
  }),
  z.strictObject({
    use: z.literal("ai-sdk").describe("`ai-sdk`: a language model of any AI SDK provider; in library use."),
    model: aiSdkModel<AiSdkLanguageModel>("doStream"),
    contextTokensMax,
    temperature,
    ...silence,
    ...generatePatience,
    ...oneEndpoint,
  }),
  z.strictObject({
    use: z
      .literal("llama")
      .describe(
        "`llama`: a GGUF file, in a process beside this one, on the CPU. Needs `npm install node-llama-cpp@3`; nothing is downloaded at run time.",
      ),
    model: z
      .string()
      .min(1)
      .describe("Path of the GGUF file, a chat model. Its own chat template and tokenizer are used."),
    contextTokensMax: z
      .int()
      .min(256)
      .max(1_000_000)
      .default(4096)
      .describe("The window of one answer, prompt and answer together; memory is taken for `sequences` times as many."),
    sequences: count(2, 64, "Answers generated at once; they share the threads."),
    waitingMax: z
      .int()
      .min(0)
      .max(10_000)
      .default(16)
      .describe(
        "Questions that may wait for a sequence; a further one is refused as `overloaded`, as is one whose turn would come too late for it.",
      ),
    threads: z
      .int()
      .min(1)
      .max(256)
      .optional()
      .describe("CPU threads. Absent: half of the cores, which leaves the others to search and serving."),
    temperature: z.number().min(0).max(2).default(0).describe("0: the likeliest words."),
    seed: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .optional()
      .describe("Makes answers at a temperature above 0 repeatable. Absent: another one each time."),
    ...silence,
    firstTokenTimeoutMs: milliseconds(
      120_000,
      "Limit for the first token, waiting and reading the prompt included, within the request's own (`server.timeoutMs`).",
    ),
  }),
  simulatedGenerate,
  z.strictObject({
    use: z.literal("grpc").describe("`grpc`: processes of `ragline stage generate`."),
    ...grpcClient,
    ...endpoints,
    ...silence,
    ...generatePatience,
  }),
]);
