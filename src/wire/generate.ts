import type { GenerateDelta, GenerateRequest } from "../ports/language-model.ts";
import type { FinishReason, Message } from "../types.ts";
import { type SourceMessage, sourceFrom, sourceMessage } from "./passages.ts";

export interface GenerateRequestMessage {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly question: string;
  readonly query: string;
  readonly sources: readonly SourceMessage[];
  readonly maxOutputTokens: number;
}

export interface GenerateDeltaMessage {
  readonly text?: string;
  readonly reasoning?: string;
  readonly end?: {
    readonly finishReason: string;
    readonly usage: { readonly promptTokens: number; readonly completionTokens: number } | null;
  };
}

export function generateMessage(request: GenerateRequest): GenerateRequestMessage {
  return {
    ...request,
    messages: request.messages.map(({ role, content }) => ({ role: role.toUpperCase(), content })),
    sources: request.sources.map(sourceMessage),
  };
}

export function generateFrom(message: GenerateRequestMessage): GenerateRequest {
  const { question, query, maxOutputTokens } = message;
  const messages = message.messages.map(({ role, content }) => ({
    role: role.toLowerCase() as Message["role"],
    content,
  }));
  return { messages, question, query, sources: message.sources.map(sourceFrom), maxOutputTokens };
}

export function deltaMessage(delta: GenerateDelta): GenerateDeltaMessage {
  switch (delta.type) {
    case "text":
      return { text: delta.text };
    case "reasoning":
      return { reasoning: delta.text };
    case "end":
      return { end: { finishReason: delta.finishReason, usage: delta.usage ?? null } };
  }
}

/** Null: a delta of a kind that is not known here. */
export function deltaFrom({ text, reasoning, end }: GenerateDeltaMessage): GenerateDelta | null {
  if (text !== undefined) return { type: "text", text };
  if (reasoning !== undefined) return { type: "reasoning", text: reasoning };
  if (!end) return null;
  const { finishReason, usage } = end;
  return { type: "end", finishReason: finishReason as FinishReason, ...(usage && { usage: { ...usage } }) };
}
