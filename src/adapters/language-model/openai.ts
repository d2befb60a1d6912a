import type { GenerateRequest, LanguageModel } from "../../ports/language-model.ts";
import { OptionalFields } from "../http/optional-fields.ts";
import { Endpoint, type EndpointOptions, post, refusalOf } from "../http/post.ts";
import type { ResponseBody } from "../http/response-body.ts";
import { LoopLoad } from "./loop-load.ts";
import { ChatDeltas } from "./openai-deltas.ts";

export interface OpenAiOptions extends EndpointOptions {
  /** Up to and with `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly contextTokensMax: number;
  readonly temperature: number | null;
  /** Further fields of each request; none of those that are sent anyway. */
  readonly body?: Readonly<Record<string, unknown>> | undefined;
}

/** Any endpoint that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, … While `load` is busy, text comes in fewer pieces. */
export function createOpenAiLanguageModel(
  options: OpenAiOptions,
  load: Pick<LoopLoad, "isBusy"> = new LoopLoad(),
): LanguageModel {
  const endpoint = Endpoint.under(options.baseUrl, "/chat/completions", options);
  const usage = new OptionalFields({ stream_options: { include_usage: true } });
  // OpenAI's own newer models refuse the name that everyone else expects.
  let limitName = new URL(options.baseUrl).hostname === "api.openai.com" ? "max_completion_tokens" : "max_tokens";

  async function open(request: GenerateRequest, signal: AbortSignal): Promise<ResponseBody> {
    const named = limitName;
    const body = {
      ...options.body,
      model: options.model,
      messages: request.messages,
      stream: true,
      [named]: request.maxOutputTokens,
      ...(options.temperature !== null && { temperature: options.temperature }),
    };
    try {
      return await usage.send((fields) => post(endpoint, { ...body, ...fields }, signal));
    } catch (thrown) {
      const refusal = refusalOf(thrown);
      if (refusal?.status !== 400 || named !== "max_tokens" || !refusal.reason.includes("max_completion_tokens")) {
        throw thrown;
      }
      limitName = "max_completion_tokens";
      return open(request, signal);
    }
  }

  return {
    model: options.model,
    contextTokensMax: options.contextTokensMax,
    stream: (request, { signal }) => new ChatDeltas(() => open(request, signal), signal, load),
  };
}
