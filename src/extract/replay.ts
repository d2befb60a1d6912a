import { RaglineError } from "../errors.ts";
import type { Stages } from "../pipeline/stages.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { CallOptions, Scope, ScoredPassage } from "../types.ts";
import { type Method, methodOf, STAGE_SERVICES, type StageName } from "../wire/definitions.ts";
import { deltaMessage, generateMessage } from "../wire/generate.ts";
import { resultMessage, searchMessage } from "../wire/search.ts";
import { packed } from "../wire/vectors.ts";
import type { Recording } from "./record.ts";

/** What one placement gave for one recorded call, in a form that two can be compared in. */
export interface Output {
  readonly ms: number;
  /** Of a stream: to its first text. */
  readonly firstTextMs?: number;
  /** Must be equal: names, orders, texts. */
  readonly exact: string;
  /** Must agree within `TOLERANCE`. */
  readonly numbers: readonly number[];
  /** Of the request and the answer, as they travel. */
  readonly bytes: number;
}

export type Ports = Pick<Stages, "embedder" | "index" | "reranker" | "model">;

/** Every recorded call of a stage, made again. */
export async function replay(
  stage: StageName,
  ports: Ports,
  recording: Recording,
  scope: Scope,
  call: CallOptions,
): Promise<Output[]> {
  const outputs: Output[] = [];
  for (const again of callsOf(stage, ports, recording, scope)) outputs.push(await again(call));
  return outputs;
}

type Again = (call: CallOptions) => Promise<Output>;

function callsOf(stage: StageName, ports: Ports, recording: Recording, scope: Scope): readonly Again[] {
  switch (stage) {
    case "embed":
      return recording.embed.map((one) => embedAgain(ports, one));
    case "rerank":
      return recording.rerank.map((one) => rerankAgain(ports, one));
    case "search":
      return recording.search.map((one) => searchAgain(ports, scope, one));
    case "generate":
      return recording.generate.map((one) => (call) => generateAgain(ports.model, one, call));
  }
}

function embedAgain({ embedder }: Ports, { texts, kind }: Recording["embed"][number]): Again {
  return async (call) => {
    const [vectors, ms] = await timed(() => embedder.embed(texts, kind, call));
    const { model, dimensions } = embedder;
    const request = { kind: kind === "query" ? "QUERY" : "PASSAGE", texts };
    const bytes = size(methodOf(STAGE_SERVICES.embed, "Embed"), request, {
      model,
      dimensions,
      vectors: packed(vectors),
    });
    return { ms, exact: model, numbers: vectors.flatMap((vector) => [...vector]), bytes };
  };
}

function rerankAgain({ reranker }: Ports, { query, texts }: Recording["rerank"][number]): Again {
  return async (call) => {
    if (!reranker) throw new RaglineError("config_invalid", "rerank.use: none leaves nothing to extract");
    const [ranked, ms] = await timed(() => reranker.rerank(query, texts, call));
    const indices = ranked.map(({ index }) => index);
    const numbers = ranked.map(({ score }) => score);
    const answer = { model: reranker.model, indices, scores: numbers };
    const bytes = size(methodOf(STAGE_SERVICES.rerank, "Rerank"), { query, texts }, answer);
    return { ms, exact: `${reranker.model}: ${indices.join(" ")}`, numbers, bytes };
  };
}

function searchAgain({ index }: Ports, scope: Scope, query: Recording["search"][number]): Again {
  return async (call) => {
    const [result, ms] = await timed(() => index.search(scope, query, call));
    const { byText, byVector } = result;
    const ids = (hits: readonly ScoredPassage[]) => hits.map(({ passage }) => passage.id).join(" ");
    const request = { scope: { ...scope, space: null }, ...searchMessage(query) };
    const bytes = size(methodOf(STAGE_SERVICES.search, "Search"), request, resultMessage(result));
    const numbers = [...byText, ...byVector].map(({ score }) => score);
    return { ms, exact: `text ${ids(byText)}; vectors ${ids(byVector)}`, numbers, bytes };
  };
}

async function generateAgain(
  model: LanguageModel,
  request: Recording["generate"][number],
  call: CallOptions,
): Promise<Output> {
  const { requestSerialize, responseSerialize } = methodOf(STAGE_SERVICES.generate, "Generate");
  const startedAt = performance.now();
  let firstTextMs = Number.NaN;
  let text = "";
  let end = "";
  let bytes = requestSerialize(generateMessage(request)).length;
  for await (const delta of model.stream(request, call)) {
    if (delta.type === "text") {
      if (text === "") firstTextMs = performance.now() - startedAt;
      text += delta.text;
    } else if (delta.type === "end") end = delta.finishReason;
    bytes += responseSerialize(deltaMessage(delta)).length;
  }
  return { ms: performance.now() - startedAt, firstTextMs, exact: `${text} [${end}]`, numbers: [], bytes };
}

async function timed<T>(run: () => Promise<T>): Promise<[T, number]> {
  const startedAt = performance.now();
  const value = await run();
  return [value, performance.now() - startedAt];
}

function size({ requestSerialize, responseSerialize }: Method, request: object, response: object): number {
  return requestSerialize(request).length + responseSerialize(response).length;
}
