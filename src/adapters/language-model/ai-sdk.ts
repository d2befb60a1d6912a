import type { AiSdkLanguageModel, AiSdkMessage } from "../../ai-sdk-models.ts";
import { RaglineError } from "../../errors.ts";
import type { GenerateDelta, LanguageModel } from "../../ports/language-model.ts";
import type { FinishReason, Message, Usage } from "../../types.ts";
import { aiSdkFailure } from "../ai-sdk/failure.ts";
import { Thinking } from "./thinking.ts";

export interface AiSdkLanguageModelOptions {
  readonly model: AiSdkLanguageModel;
  readonly contextTokensMax: number;
  readonly temperature: number | null;
}

/** The parts of a stream that are read, of all versions of the specification. */
interface Part {
  readonly type: string;
  readonly delta?: unknown;
  readonly error?: unknown;
  /** v2: a word; since v3 with the upstream's own beside it. */
  readonly finishReason?: string | { readonly unified: string; readonly raw?: string | undefined };
  /** v2: numbers; since v3 in parts. */
  readonly usage?: {
    readonly inputTokens?: number | { readonly total?: number | undefined };
    readonly outputTokens?: number | { readonly total?: number | undefined };
  };
}

const FINISH: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  "content-filter": "content_filter",
};

/** Any language model of the AI SDK. */
export function createAiSdkLanguageModel(options: AiSdkLanguageModelOptions): LanguageModel {
  const { model, temperature } = options;
  return {
    model: `${model.provider}/${model.modelId}`,
    contextTokensMax: options.contextTokensMax,
    async *stream(request, { signal }): AsyncGenerator<GenerateDelta, void, undefined> {
      const thinking = new Thinking();
      let end: GenerateDelta | null = null;
      try {
        const { stream } = await model.doStream({
          prompt: request.messages.map(toAiSdk),
          maxOutputTokens: request.maxOutputTokens,
          ...(temperature !== null && { temperature }),
          abortSignal: signal,
        });
        for await (const part of stream as ReadableStream<Part>) {
          if (part.type === "finish") end = { type: "end", finishReason: finishOf(part), ...usageOf(part) };
          const delta = read(part, thinking);
          if (delta) yield delta;
        }
      } catch (cause) {
        throw aiSdkFailure(cause, signal);
      }
      if (!end) throw broken("broke off its answer");
      const text = thinking.end();
      if (text) yield { type: "text", text };
      yield end;
    },
  };
}

function read({ type, delta, error }: Part, thinking: Thinking): GenerateDelta | null {
  if (type === "error") throw error ?? broken("reported a failure within its answer");
  if (type === "tool-call") throw broken("called a tool where an answer was due", false);
  if (typeof delta !== "string" || delta === "") return null;
  if (type === "reasoning-delta") return { type: "reasoning", text: delta };
  if (type !== "text-delta") return null;
  const text = thinking.push(delta);
  return text ? { type: "text", text } : { type: "reasoning", text: delta };
}

/** Providers end a stream that was cut like a whole one, with a reason that the upstream never gave. */
function finishOf({ finishReason = "unknown" }: Part): FinishReason {
  const { unified, raw } = typeof finishReason === "string" ? { unified: finishReason, raw: undefined } : finishReason;
  const known = FINISH[unified];
  if (known) return known;
  if (unified === "other" && raw !== undefined) return "stop";
  throw broken(`broke off its answer (${unified})`);
}

function usageOf({ usage }: Part): { usage?: Usage } {
  const promptTokens = totalOf(usage?.inputTokens);
  const completionTokens = totalOf(usage?.outputTokens);
  return promptTokens === undefined || completionTokens === undefined
    ? {}
    : { usage: { promptTokens, completionTokens } };
}

function totalOf(tokens: number | { readonly total?: number | undefined } | undefined): number | undefined {
  return typeof tokens === "object" ? tokens.total : tokens;
}

function toAiSdk({ role, content }: Message): AiSdkMessage {
  return role === "system" ? { role, content } : { role, content: [{ type: "text", text: content }] };
}

function broken(what: string, retryable = true): RaglineError {
  return new RaglineError("dependency_failed", `The upstream ${what}.`, { retryable });
}
