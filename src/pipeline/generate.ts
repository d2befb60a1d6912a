import type { GenerateDelta, GenerateRequest } from "../ports/language-model.ts";
import type { CallOptions, Usage } from "../types.ts";
import { MESSAGE_TOKENS, REPLY_TOKENS } from "./budget.ts";
import { CitationFilter } from "./citations.ts";
import type { Stages } from "./stages.ts";

/** No text that anybody reads has longer tokens: a model that says more does not keep to its limit. */
const CHARACTERS_PER_TOKEN_MAX = 20;

/**
 * Step 8: the model's deltas, with every citation checked against the passages that the prompt quotes, and cut where a model
 * goes on long after `maxOutputTokens`.
 */
export async function* generate(
  stages: Stages,
  request: GenerateRequest,
  call: CallOptions,
): AsyncGenerator<GenerateDelta, void, undefined> {
  const citations = new CitationFilter(request.sources.length);
  const charactersMax = request.maxOutputTokens * CHARACTERS_PER_TOKEN_MAX;
  let characters = 0;
  for await (const delta of stages.model.stream(request, call)) {
    if (delta.type === "text") {
      characters += delta.text.length;
      if (characters > charactersMax) {
        yield { type: "end", finishReason: "length" };
        return;
      }
      const text = citations.push(delta.text);
      if (text) yield text === delta.text ? delta : { type: "text", text };
    } else {
      const rest = citations.end();
      if (rest) yield { type: "text", text: rest };
      if (delta.usage) learn(stages, request, delta.usage);
      yield delta;
    }
  }
}

/** Counting learns from what the endpoint counted. */
function learn({ counter }: Stages, { messages }: GenerateRequest, { promptTokens }: Usage): void {
  const texts = messages.map(({ content }) => content);
  counter.report?.(texts, promptTokens - texts.length * MESSAGE_TOKENS - REPLY_TOKENS);
}
