import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { call } from "./calls.ts";
import { type StubHandler, sendJson } from "./stub-server.ts";

export const DIMENSIONS = 64;
const hashing = createHashingEmbedder({ dimensions: DIMENSIONS });

/** Answers as OpenAI's `/v1/embeddings` does: vectors that are not of unit length, and in no promised order. */
export const embeddings: StubHandler = async ({ body }, response) => {
  const input = body.input as string[];
  const vectors = await hashing.embed(input, "passage", call());
  const data = vectors.map((vector, index) => ({
    object: "embedding",
    index,
    embedding: Array.from(vector, (value) => value * 3),
  }));
  sendJson(response, {
    object: "list",
    data: data.toReversed(),
    model: body.model,
    usage: { prompt_tokens: 8, total_tokens: 8 },
  });
};
