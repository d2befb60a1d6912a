import { expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import type { GenerateDelta } from "../../src/ports/language-model.ts";
import type { CallOptions, ModelCall } from "../../src/types.ts";
import { meteredEmbedder, meteredModel, meteredReranker } from "../../src/wrap/metered.ts";
import { call, collect, sleep } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { modelOf } from "../support/stages.ts";

const characters = { name: "characters", count: (text: string) => text.length };

function listening(): { readonly calls: ModelCall[]; readonly options: CallOptions } {
  const calls: ModelCall[] = [];
  return { calls, options: { ...call(), onModelCall: (made) => void calls.push(made) } };
}

test("tokens as the model says, else counted; time; a failed call is one too", async () => {
  const { calls, options } = listening();
  const vectors = [new Float32Array(1)];
  const embedder = (embed: (options: CallOptions) => Promise<Float32Array[]>) =>
    meteredEmbedder({ model: "m", dimensions: 1, embed: (_texts, _kind, given) => embed(given) }, characters);
  await embedder(async (given) => {
    given.onTokens?.(3);
    given.onTokens?.(4);
    await sleep(15);
    return vectors;
  }).embed(["퇴직금"], "query", options);
  await embedder(async () => vectors).embed(["퇴직금", "가"], "query", options);
  const failing = embedder(() => Promise.reject(new RaglineError("dependency_failed", "x")));
  await expect(failing.embed(["퇴직금"], "query", options)).rejects.toBeDefined();
  expect(calls.map(({ inputTokens, outputTokens }) => [inputTokens, outputTokens])).toEqual([
    [7, 0],
    [4, 0],
    [0, 0],
  ]);
  expect(calls[0]?.ms).toBeGreaterThanOrEqual(14);
});

test("a reranker reads the query with every text", async () => {
  const { calls, options } = listening();
  const reranker = meteredReranker({ model: "m", rerank: async () => [] }, characters);
  await reranker.rerank("휴가", ["가나", "다"], options);
  expect(calls).toMatchObject([{ inputTokens: 7 }]);
});

test("a stream is a call, told at its end, however it ends", async () => {
  const model = meteredModel(
    modelOf(async function* (): AsyncGenerator<GenerateDelta> {
      yield { type: "text", text: "네" };
      yield { type: "end", finishReason: "stop", usage: { promptTokens: 9, completionTokens: 2 } };
    }),
  );
  const { calls, options } = listening();
  await collect(model.stream(generateRequest("연차", []), options));
  for await (const _ of model.stream(generateRequest("연차", []), options)) break;
  expect(calls).toMatchObject([
    { inputTokens: 9, outputTokens: 2 },
    { inputTokens: 0, outputTokens: 0 },
  ]);
});
