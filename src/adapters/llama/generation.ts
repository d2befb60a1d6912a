import type { ChatHistoryItem, LlamaChat, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import type { FinishReason, Message } from "../../types.ts";
import type { LlamaOutcome } from "./protocol.ts";

/** How long one piece of a prompt should take: a cancelled prompt goes on for one, and other sequences' tokens wait for one. */
const PIECE_MS = 100;
const PIECE_TOKENS_MIN = 8;
const PIECE_TOKENS_MAX = 512;
/** A character has at most 4 bytes, and a token may hold the end of one and the start of the next; what is none by then never will be. */
const HELD_TOKENS_MAX = 16;
const REPLACEMENT = "\ufffd";
const DETOKENIZER_CONTEXT = 3;

export interface Generation {
  readonly chat: LlamaChat;
  readonly messages: readonly Message[];
  readonly maxOutputTokens: number;
  readonly contextTokensMax: number;
  readonly temperature: number;
  readonly seed?: number | undefined;
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

/** One answer by the model's own chat template. The prompt is never shortened: one that does not fit is `too-large`. */
export async function generate(generation: Generation): Promise<LlamaOutcome> {
  const { chat, messages, maxOutputTokens, contextTokensMax, signal } = generation;
  const history = chatHistory(messages);
  const { contextText } = chat.chatWrapper.generateContextState({ chatHistory: history });
  const prompt = contextText.tokenize(chat.model.tokenizer);
  // The library keeps one token free.
  const room = contextTokensMax - prompt.length - 1;
  if (room < 1) return { type: "too-large", promptTokens: prompt.length };
  await evaluatePrompt(chat.sequence, prompt, signal);
  const text = new StreamedText(chat.model, generation.onText);
  let completionTokens = 0;
  const { metadata } = await chat.generateResponse(history, {
    maxTokens: Math.min(maxOutputTokens, room),
    temperature: generation.temperature,
    ...(generation.seed !== undefined && { seed: generation.seed }),
    repeatPenalty: false,
    contextShift: { size: 1, strategy: refuseToShorten },
    signal,
    onToken: (tokens) => {
      completionTokens += tokens.length;
      text.push(tokens);
    },
  });
  text.end();
  const finishReason: FinishReason = metadata.stopReason === "maxTokens" ? "length" : "stop";
  return { type: "end", finishReason, usage: { promptTokens: prompt.length, completionTokens } };
}

function chatHistory(messages: readonly Message[]): ChatHistoryItem[] {
  const history = messages.map(({ role, content }): ChatHistoryItem => {
    const text = content.toWellFormed();
    return role === "assistant" ? { type: "model", response: [text] } : { type: role, text };
  });
  return [...history, { type: "model", response: [] }];
}

function refuseToShorten(): never {
  throw new Error("the prompt does not fit");
}

/** Reads all but the prompt's last token, in pieces of about `PIECE_MS`; what the sequence holds already is kept. */
async function evaluatePrompt(sequence: LlamaContextSequence, prompt: Token[], signal: AbortSignal): Promise<void> {
  const head = prompt.slice(0, -1);
  await sequence.adaptStateToTokens(head, false);
  let size = PIECE_TOKENS_MIN;
  for (let start = sequence.nextTokenIndex; start < head.length; ) {
    signal.throwIfAborted();
    const piece = head.slice(start, start + size);
    const startedAt = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(piece);
    const fitting = (piece.length * PIECE_MS) / (performance.now() - startedAt);
    start += piece.length;
    size = Math.round(Math.min(PIECE_TOKENS_MAX, Math.max(PIECE_TOKENS_MIN, Math.min(fitting, size * 4))));
  }
  signal.throwIfAborted();
}

/** Tokens in, text out; the bytes of a character that is not whole yet wait for the others. */
class StreamedText {
  readonly #model: LlamaModel;
  readonly #onText: (text: string) => void;
  #held: Token[] = [];
  #before: Token[] = [];

  constructor(model: LlamaModel, onText: (text: string) => void) {
    this.#model = model;
    this.#onText = onText;
  }

  push(tokens: readonly Token[]): void {
    for (const token of tokens) {
      this.#held.push(token);
      const text = this.#text();
      if (!text.endsWith(REPLACEMENT) || this.#held.length >= HELD_TOKENS_MAX) this.#release(text);
    }
  }

  end(): void {
    if (this.#held.length > 0) this.#release(this.#text());
  }

  #text(): string {
    return this.#model.detokenize(this.#held, false, this.#before);
  }

  #release(text: string): void {
    this.#before = [...this.#before, ...this.#held].slice(-DETOKENIZER_CONTEXT);
    this.#held = [];
    if (text !== "") this.#onText(text);
  }
}
