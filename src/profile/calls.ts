import { search } from "../pipeline/search.ts";
import type { Stages } from "../pipeline/stages.ts";
import type { GenerateRequest } from "../ports/language-model.ts";
import { passageText } from "../text/passage-text.ts";
import type { CallOptions, Scope, ScoredPassage, Source } from "../types.ts";
import type { Call } from "./hammer.ts";
import type { ProfiledStep } from "./profile.ts";

/** What stages are driven with: questions, and passages as search finds them. */
export interface Material {
  readonly questions: readonly string[];
  readonly found: readonly ScoredPassage[];
  readonly outputTokensMax: number;
}

/** A stage as it is called, with so many texts a call. */
export interface DrivenStage {
  readonly step: ProfiledStep;
  readonly model: string;
  /** As one question calls it. */
  readonly textsPerCall: number;
  /** Whether a call may carry more or fewer texts. */
  readonly hasBatches: boolean;
  call(texts: number): Call;
}

/** @throws RaglineError where the questions cannot be searched. */
export async function gatherMaterial(
  stages: Stages,
  scope: Scope,
  questions: readonly string[],
  outputTokensMax: number,
  options: CallOptions,
): Promise<Material> {
  const found: ScoredPassage[] = [];
  for (const question of questions.slice(0, 8)) {
    const { byText } = await stages.index.search(scope, { text: question, limit: stages.settings.top }, options);
    found.push(...byText);
  }
  return { questions, found, outputTokensMax };
}

/** As many texts as a call is measured with at most: every embedder takes them at once. */
const QUESTIONS_SEARCHED_MAX = 32;

/** Every stage that there is, each called as the pipeline does. Calls of different numbers have different texts, so that no cache answers. */
export function drivenStages(stages: Stages, scope: Scope, material: Material): DrivenStage[] {
  const { embedder, reranker, model, settings } = stages;
  const question = (number: number) => `${item(material.questions, number) ?? ""} (${number})`;
  const texts = (count: number, number: number) =>
    Array.from({ length: count }, (_, n) => `${passageOf(material, number * count + n)} (${number})`);
  const searched = searches(stages, scope, material);
  const all: (DrivenStage | null)[] = [
    {
      step: "embed",
      model: embedder.model,
      textsPerCall: 1,
      hasBatches: true,
      call: (count) => (number, call) =>
        count === 1
          ? embedder.embed([question(number)], "query", call)
          : embedder.embed(texts(count, number), "passage", call),
    },
    {
      step: "search",
      model: "",
      textsPerCall: 1,
      hasBatches: false,
      call: () => searched,
    },
    reranker && {
      step: "rerank",
      model: reranker.model,
      textsPerCall: settings.top,
      hasBatches: true,
      call: (count) => (number, call) => reranker.rerank(question(number), texts(count, number), call),
    },
    {
      step: "generate",
      model: model.model,
      textsPerCall: 1,
      hasBatches: false,
      call: () => async (number, call, onFirst) => {
        for await (const delta of model.stream(requestOf(material, settings.keep, question(number)), call)) {
          if (delta.type === "text") onFirst();
        }
      },
    },
  ];
  return all.filter((stage) => stage !== null);
}

/** The first call, of the warm-up, embeds the questions of all calls in one, so that search alone is measured. */
function searches(stages: Stages, scope: Scope, { questions }: Material): Call {
  const asked = questions.slice(0, QUESTIONS_SEARCHED_MAX);
  let embedded: Promise<Float32Array[]> | null = null;
  return async (number, call) => {
    embedded ??= stages.embedder.embed(asked, "query", { signal: new AbortController().signal }).catch((thrown) => {
      embedded = null;
      throw thrown;
    });
    const vector = item(await embedded, number) ?? null;
    return search(stages, { scope, filter: null }, item(asked, number) ?? "", vector, call);
  };
}

function requestOf({ found, outputTokensMax }: Material, keep: number, question: string): GenerateRequest {
  const sources = found.slice(0, keep).map(({ passage, score }, n): Source => {
    const { id, documentId, title, headings, text, metadata } = passage;
    return { n: n + 1, passageId: id, documentId, title, headings, text, score, metadata };
  });
  const passages = sources.map(({ n, text }) => `[${n}] ${text}`).join("\n\n");
  return {
    messages: [
      { role: "system", content: "Answer the question from the numbered passages." },
      { role: "user", content: `${passages}\n\n${question}` },
    ],
    question,
    query: question,
    sources,
    maxOutputTokens: outputTokensMax,
  };
}

function passageOf({ found, questions }: Material, number: number): string {
  const hit = found[number % Math.max(1, found.length)];
  return hit ? passageText(hit.passage) : (item(questions, number) ?? "");
}

function item<T>(items: readonly T[], number: number): T | undefined {
  return items[number % items.length];
}
