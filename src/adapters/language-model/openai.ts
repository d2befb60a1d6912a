import { createParser } from "eventsource-parser";
import { RaglineError } from "../../errors.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../../ports/language-model.ts";
import type { FinishReason, Usage } from "../../types.ts";
import { failed, post } from "../http/post.ts";

export interface OpenAiOptions {
  /** Up to and with `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  readonly contextTokensMax: number;
  readonly temperature: number | null;
}

/** The slice of a chat completion chunk that is read. */
interface Chunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
  readonly error?: unknown;
}

const FINISH: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content_filter",
};

/** Any endpoint that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, TGI, llama.cpp, … */
export function createOpenAiLanguageModel(options: OpenAiOptions): LanguageModel {
  const baseUrl = options.baseUrl.replace(/\/+$/, "");
  const endpoint = { url: `${baseUrl}/chat/completions`, apiKey: options.apiKey };
  // OpenAI's own newer models refuse the name that everyone else expects.
  const limitName = new URL(baseUrl).hostname === "api.openai.com" ? "max_completion_tokens" : "max_tokens";
  return {
    model: options.model,
    contextTokensMax: options.contextTokensMax,
    async *stream(request: GenerateRequest, { signal }) {
      const body = await post(
        endpoint,
        {
          model: options.model,
          messages: request.messages,
          stream: true,
          stream_options: { include_usage: true },
          [limitName]: request.maxOutputTokens,
          ...(options.temperature !== null && { temperature: options.temperature }),
        },
        signal,
      );
      const reading = new Reading();
      try {
        for await (const bytes of body) {
          const text = reading.feed(bytes as Uint8Array);
          if (text) yield { type: "text", text };
          if (reading.failure) throw reading.failure;
        }
      } catch (cause) {
        throw failed("broke off its answer", cause, signal);
      } finally {
        body.destroy();
      }
      yield reading.end();
    },
  };
}

/** Turns the bytes of one stream into deltas: one for all tokens that arrive together, as they do under load. */
class Reading {
  #text = "";
  #failure: unknown;
  #finishReason: FinishReason | null = null;
  #usage: Usage | null = null;
  #held = "";
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({ onEvent: ({ data }) => this.#onData(data) });

  /** What the upstream reported, after the text that came before. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The text of all events that these bytes complete, up to a failure. */
  feed(bytes: Uint8Array): string {
    this.#text = "";
    try {
      this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    } catch (thrown) {
      this.#failure = thrown;
    }
    return this.#text;
  }

  /** @throws RaglineError `dependency_failed`: the upstream never said that it was done. */
  end(): GenerateDelta {
    if (!this.#finishReason) {
      throw new RaglineError("dependency_failed", "The upstream broke off its answer.", { retryable: true });
    }
    return { type: "end", finishReason: this.#finishReason, ...(this.#usage && { usage: this.#usage }) };
  }

  #onData(data: string): void {
    if (data === "[DONE]") {
      this.#finishReason ??= "stop";
      return;
    }
    const { choices, usage, error } = parseChunk(data);
    if (error) {
      const cause = new Error(JSON.stringify(error));
      throw new RaglineError("dependency_failed", "The upstream reported a failure within its answer.", { cause });
    }
    const [choice] = choices ?? [];
    const content = choice?.delta?.content;
    if (typeof content === "string") this.#onText(content);
    if (choice?.finish_reason) this.#finishReason = FINISH[choice.finish_reason] ?? "stop";
    if (isCount(usage?.prompt_tokens) && isCount(usage.completion_tokens)) {
      this.#usage = { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens };
    }
  }

  /** Half of a surrogate pair waits for its other half. */
  #onText(content: string): void {
    let text = this.#held + content;
    this.#held = "";
    const last = text.charCodeAt(text.length - 1);
    if (last >= 0xd800 && last <= 0xdbff) {
      this.#held = text.slice(-1);
      text = text.slice(0, -1);
    }
    this.#text += text.toWellFormed();
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parseChunk(data: string): Chunk {
  try {
    return JSON.parse(data) as Chunk;
  } catch (cause) {
    throw new RaglineError("dependency_failed", "The upstream sent an answer that could not be read.", { cause });
  }
}
