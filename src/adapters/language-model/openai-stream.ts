import { createParser, type ParseError } from "eventsource-parser";
import { RaglineError } from "../../errors.ts";
import type { GenerateDelta } from "../../ports/language-model.ts";
import type { FinishReason, Usage } from "../../types.ts";
import { Thinking } from "./thinking.ts";

/** Of a list: models that think, at Mistral. */
interface Part {
  readonly type?: unknown;
  readonly text?: unknown;
}

/** The slice of a chat completion chunk that is read. */
interface Chunk {
  readonly object?: unknown;
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | readonly Part[] | null;
      readonly refusal?: string | null;
      /** DeepSeek, vLLM, SGLang, llama.cpp. */
      readonly reasoning_content?: string | null;
      /** OpenRouter, Ollama, Groq, newer vLLM. */
      readonly reasoning?: string | null;
    };
    readonly finish_reason?: string | null;
    readonly error?: unknown;
  }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
  readonly error?: unknown;
}

/** How the upstream's words for an end are read; an unknown one is an ordinary end. */
const FINISH: Readonly<Record<string, FinishReason | "failed" | "tool">> = {
  length: "length",
  max_tokens: "length",
  content_filter: "content_filter",
  error: "failed",
  abort: "failed",
  tool_calls: "tool",
  function_call: "tool",
};

/** Of an event that has not ended, what is kept: far more than a whole answer in one event. */
const EVENT_CHARACTERS_MAX = 4 * 1024 * 1024;
/** What the last event may lack. */
const EVENT_END = Buffer.from("\n\n");

/** Turns the bytes of one stream into deltas: one for all tokens that arrive together, as they do under load. */
export class ChatStream {
  #text = "";
  #reasoning = "";
  #failure: unknown;
  #finishReason: FinishReason | null = null;
  #isRefusal = false;
  #usage: Usage | null = null;
  #held = "";
  #isDone = false;
  #hasEvents = false;
  readonly #thinking = new Thinking();
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    maxBufferSize: EVENT_CHARACTERS_MAX,
    onEvent: ({ data, event }) => this.#onData(data, event),
    onError: refuseTooLong,
  });

  /** What the upstream reported, after the text that came before. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The upstream has said why the answer ends. */
  get hasFinished(): boolean {
    return this.#finishReason !== null && this.#failure === undefined;
  }

  /** Nothing more will come. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What all events say that these bytes complete, up to a failure; null: nothing yet. */
  feed(bytes: Uint8Array): GenerateDelta | null {
    this.#text = "";
    this.#reasoning = "";
    try {
      this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    } catch (thrown) {
      this.#failure = thrown;
    }
    const text = this.#text === "" ? "" : this.#thinking.push(this.#text);
    if (text !== "") return { type: "text", text };
    const thought = this.#reasoning || this.#text;
    return thought === "" ? null : { type: "reasoning", text: thought };
  }

  /** @throws RaglineError `dependency_failed`: the upstream never said that it was done. */
  end(): GenerateDelta[] {
    const last = this.#isDone ? null : this.feed(EVENT_END);
    if (!this.#finishReason) throw broken(this.#hasEvents ? "broke off its answer" : "sent no event of a stream");
    const text = (last?.type === "text" ? last.text : "") + this.#thinking.end();
    const finishReason = this.#isRefusal ? "content_filter" : this.#finishReason;
    const end: GenerateDelta = { type: "end", finishReason, ...(this.#usage && { usage: this.#usage }) };
    return text === "" ? [end] : [{ type: "text", text }, end];
  }

  #onData(data: string, event: string | undefined): void {
    const said = data.trim();
    if (said === "") return;
    this.#hasEvents = true;
    if (said === "[DONE]") {
      this.#finishReason ??= "stop";
      this.#isDone = true;
      return;
    }
    const chunk = parseChunk(data);
    const [choice] = chunk.choices ?? [];
    const error = chunk.error ?? choice?.error;
    if (error || event === "error" || chunk.object === "error") throw reported(error ?? chunk);
    const { content, refusal, reasoning_content, reasoning } = choice?.delta ?? {};
    if (typeof content === "string") this.#onText(content);
    else if (Array.isArray(content)) for (const part of content) this.#onPart(part);
    if (typeof refusal === "string" && refusal !== "") {
      this.#isRefusal = true;
      this.#onText(refusal);
    }
    const thought = reasoning_content ?? reasoning;
    if (typeof thought === "string") this.#reasoning += thought;
    if (choice?.finish_reason) this.#finish(choice.finish_reason);
    const { usage } = chunk;
    if (isCount(usage?.prompt_tokens) && isCount(usage.completion_tokens)) {
      this.#usage = { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens };
    }
  }

  #finish(reason: string): void {
    const read = FINISH[reason] ?? "stop";
    if (read === "failed") throw broken("broke off its answer", new Error(`finish_reason ${reason}`));
    if (read === "tool") throw broken("called a tool where an answer was due", new Error(reason), false);
    this.#finishReason = read;
  }

  #onPart({ type, text }: Part): void {
    if (type === "text" && typeof text === "string") this.#onText(text);
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

/** For something else in place of a stream: an error with status 200, a page that asks who is there, a server that cannot stream. */
export function notStreamed(what: string, text: string): RaglineError {
  return broken(`sent ${what} where a stream was due`, new Error(text), false);
}

/** An error object within a stream; what the request itself is at fault for is not worth another try. */
function reported(error: unknown): RaglineError {
  const { code, status } = error as { readonly code?: unknown; readonly status?: unknown };
  const number = Number(status ?? code);
  const isOurs = number >= 400 && number < 500 && ![408, 425, 429].includes(number);
  return broken("reported a failure within its answer", new Error(JSON.stringify(error)), !isOurs);
}

function broken(what: string, cause?: Error, retryable = true): RaglineError {
  return new RaglineError("dependency_failed", `The upstream ${what}.`, { cause, retryable });
}

/** Whatever else the parser does not understand it may pass over. */
function refuseTooLong(error: ParseError): void {
  if (error.type !== "max-buffer-size-exceeded") return;
  throw broken(`sent an event of more than ${EVENT_CHARACTERS_MAX} characters`, error, false);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parseChunk(data: string): Chunk {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch (cause) {
    throw new RaglineError("dependency_failed", "The upstream sent an answer that could not be read.", { cause });
  }
  return typeof chunk === "object" && chunk !== null ? chunk : {};
}
