import type { GenerateDelta, GenerateRequest } from "../ports/language-model.ts";
import type { CallOptions } from "../types.ts";
import { CitationFilter } from "./citations.ts";
import type { Stages } from "./stages.ts";

/** Step 8: the model's deltas, with every citation checked against the passages that the prompt quotes. */
export async function* generate(
  stages: Stages,
  request: GenerateRequest,
  call: CallOptions,
): AsyncGenerator<GenerateDelta, void, undefined> {
  const citations = new CitationFilter(request.sources.length);
  for await (const delta of stages.model.stream(request, call)) {
    if (delta.type === "text") {
      const text = citations.push(delta.text);
      if (text) yield text === delta.text ? delta : { type: "text", text };
    } else {
      const rest = citations.end();
      if (rest) yield { type: "text", text: rest };
      yield delta;
    }
  }
}
