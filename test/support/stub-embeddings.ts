import type { ServerResponse } from "node:http";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { call } from "./calls.ts";
import { type StubHandler, type StubRequest, sendJson } from "./stub-server.ts";

export const DIMENSIONS = 64;
const hashing = createHashingEmbedder({ dimensions: DIMENSIONS });

/** Answers as OpenAI's `/v1/embeddings` does: in base64 where it is asked for, not of unit length, in no promised order. */
export const embeddings: StubHandler = (request, response) => sendEmbeddings(request.body, response, true);

/** The same in the order of the texts, on which the AI SDK's providers rely. */
export const orderedEmbeddings: StubHandler = (request, response) => sendEmbeddings(request.body, response, false);

async function sendEmbeddings(body: StubRequest["body"], response: ServerResponse, backwards: boolean): Promise<void> {
  const input = body.input as string[];
  // Cohere's models through the AI SDK, and OpenAI itself, refuse these.
  if (input.some((text) => text === ""))
    return sendJson(response, { error: { message: "input cannot be empty" } }, 400);
  const vectors = await hashing.embed(input, "passage", call());
  const data = vectors.map((vector, index) => {
    const values = vector.map((value) => value * 3);
    const encoded = Buffer.from(values.buffer).toString("base64");
    return { object: "embedding", index, embedding: body.encoding_format === "base64" ? encoded : Array.from(values) };
  });
  sendJson(response, {
    object: "list",
    data: backwards ? data.toReversed() : data,
    model: body.model,
    usage: { prompt_tokens: 8, total_tokens: 8 },
  });
}

/** Answers as text-embeddings-inference's `/embed` does, with the tokens it read in a header. */
export const teiEmbed: StubHandler = async ({ body }, response) => {
  const vectors = await hashing.embed(body.inputs as string[], "passage", call());
  response.setHeader("x-compute-tokens", "8");
  sendJson(
    response,
    vectors.map((vector) => Array.from(vector)),
  );
};

/** Refuses texts of more than `charactersMax` with the words of a vendor, status 400. */
export function tooLong(charactersMax: number, message: string, otherwise: StubHandler): StubHandler {
  return (request, response) => {
    const input = (request.body.input ?? request.body.inputs) as string[];
    if (input.every((text) => text.length <= charactersMax)) return otherwise(request, response);
    return sendJson(response, { error: { message, type: "invalid_request_error", param: null, code: null } }, 400);
  };
}
