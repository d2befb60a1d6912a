import type { GenerateDelta, GenerateRequest, LanguageModel } from "../../ports/language-model.ts";
import type { CallOptions } from "../../types.ts";
import { OptionalFields } from "../http/optional-fields.ts";
import { Endpoint, failed, post, readText, refusalOf } from "../http/post.ts";
import type { ResponseBody } from "../http/response-body.ts";
import { ChatStream, notStreamed } from "./openai-stream.ts";

export interface OpenAiOptions {
  /** Up to and with `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  readonly contextTokensMax: number;
  readonly temperature: number | null;
}

/** Of a response that is no stream, what is read. */
const WHOLE_CHARACTERS_MAX = 100_000;

/** Any endpoint that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, TGI, llama.cpp, … */
export function createOpenAiLanguageModel(options: OpenAiOptions): LanguageModel {
  const endpoint = new Endpoint(`${options.baseUrl.replace(/\/+$/, "")}/chat/completions`, options);
  const usage = new OptionalFields({ stream_options: { include_usage: true } });
  // OpenAI's own newer models refuse the name that everyone else expects.
  let limitName = new URL(options.baseUrl).hostname === "api.openai.com" ? "max_completion_tokens" : "max_tokens";

  async function open(request: GenerateRequest, signal: AbortSignal): Promise<ResponseBody> {
    const named = limitName;
    const body = {
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
    async *stream(request, { signal }: CallOptions): AsyncGenerator<GenerateDelta, void, undefined> {
      const opening = open(request, signal);
      const reading = new ChatStream();
      const body = await opening;
      if (String(body.headers["content-type"]).startsWith("application/json")) {
        throw notStreamed(await readText(body, WHOLE_CHARACTERS_MAX).catch(() => ""));
      }
      try {
        // No `for await`, which would end the connection at [DONE] along with the loop.
        for (let next = await body.next(); !next.done; next = await body.next()) {
          const delta = reading.feed(next.value);
          if (delta) yield delta;
          if (reading.failure) throw reading.failure;
          if (reading.isDone) break;
        }
      } catch (cause) {
        // Whatever breaks after the upstream has said how the answer ended takes nothing from it.
        if (!reading.hasFinished || signal.aborted) throw failed("broke off its answer", cause, signal);
      } finally {
        if (reading.isDone) body.leave();
        else body.destroy();
      }
      yield* reading.end();
    },
  };
}
