import { errorOf } from "../errors.ts";
import { ask } from "../pipeline/ask.ts";
import type { Stages } from "../pipeline/stages.ts";
import type { EmbedKind } from "../ports/embedder.ts";
import type { GenerateDelta, GenerateRequest } from "../ports/language-model.ts";
import type { SearchQuery } from "../ports/passage-index.ts";
import { Run } from "../run.ts";
import type { Scope } from "../types.ts";
import { withMethods } from "../wrap/with-methods.ts";

/** What the stages were asked for one question. */
export interface Recording {
  readonly embed: { readonly texts: readonly string[]; readonly kind: EmbedKind }[];
  readonly search: SearchQuery[];
  readonly rerank: { readonly query: string; readonly texts: readonly string[] }[];
  readonly generate: GenerateRequest[];
}

const ANSWER: readonly GenerateDelta[] = [
  { type: "text", text: "-" },
  { type: "end", finishReason: "no_answer" },
];

/** Sends a question through the steps and notes what each stage is asked. Nothing is generated, cached or saved. */
export async function record(
  stages: Stages,
  scope: Scope,
  question: string,
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Recording> {
  const recording: Recording = { embed: [], search: [], rerank: [], generate: [] };
  const { embedder, index, reranker, model } = stages;
  const noting: Stages = {
    ...stages,
    cache: null,
    instructed: null,
    embedder: withMethods(embedder, {
      embed(texts, kind, call) {
        recording.embed.push({ texts, kind });
        return embedder.embed(texts, kind, call);
      },
    }),
    index: withMethods(index, {
      search(asked, query, call) {
        recording.search.push(query);
        return index.search(asked, query, call);
      },
    }),
    reranker:
      reranker &&
      withMethods(reranker, {
        rerank(query, texts, call) {
          recording.rerank.push({ query, texts });
          return reranker.rerank(query, texts, call);
        },
      }),
    model: withMethods(model, {
      async *stream(request) {
        recording.generate.push(request);
        yield* ANSWER;
      },
    }),
  };
  const asked = {
    requestId: "extract",
    turnKey: "extract",
    mayBeRepeated: false,
    scope,
    sessionId: "extract",
    question,
    history: [],
    isFirst: true,
    filter: null,
    top: null,
    useCache: false,
    useRewrite: true,
    useReranker: true,
  };
  const run = new Run({ ...limits, limitsMs: {} });
  for await (const event of ask(noting, asked, run, () => undefined)) {
    if (event.type === "answer-error") {
      throw errorOf({ ...event.error, message: `${question}: ${event.error.message}` });
    }
  }
  return recording;
}
