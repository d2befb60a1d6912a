import type { LanguageModel } from "../ports/language-model.ts";
import type { CallOptions } from "../types.ts";

export interface Instruction {
  readonly instructions: string;
  readonly text: string;
  readonly maxOutputTokens: number;
}

/** Characters read of a reply: no text that anybody asked for has longer tokens. */
const CHARACTERS_PER_TOKEN_MAX = 20;
/** What reasoning models write before they reply. */
const REASONING = /<think>[\s\S]*?(?:<\/think>|$)/g;

/** One short reply of a model that follows instructions, whole; cut where the model goes on long after its limit. */
export async function instruct(
  model: LanguageModel,
  { instructions, text, maxOutputTokens }: Instruction,
  call: CallOptions,
): Promise<string> {
  const request = {
    messages: [{ role: "system", content: instructions } as const, { role: "user", content: text } as const],
    question: text,
    query: text,
    sources: [],
    maxOutputTokens,
  };
  let reply = "";
  for await (const delta of model.stream(request, call)) {
    if (delta.type === "text") reply += delta.text;
    if (reply.length > maxOutputTokens * CHARACTERS_PER_TOKEN_MAX) break;
  }
  return reply.replace(REASONING, "").trim();
}
