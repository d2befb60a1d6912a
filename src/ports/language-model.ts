import type { CallOptions, FinishReason, Message, Source, Usage } from "../types.ts";

export interface GenerateRequest {
  /** The assembled prompt: system, history, then the question with its numbered passages. */
  readonly messages: readonly Message[];
  /** The question as the reader wrote it; what `messages` ends with, for adapters that do not read prose. */
  readonly question: string;
  /** The standalone form of the question. */
  readonly query: string;
  /** The passages that `messages` quotes, under the same numbers. */
  readonly sources: readonly Source[];
  readonly maxOutputTokens: number;
}

export type GenerateDelta =
  | { readonly type: "text"; readonly text: string }
  /** What a model thinks before or between its words: a sign of life, never shown. */
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "end"; readonly finishReason: FinishReason; readonly usage?: Usage };

/**
 * Streams an answer.
 *
 * 1. Text deltas are non-empty and never split a character, and hold nothing of the model's reasoning; exactly one `end` comes last.
 * 2. A stream that stops without an upstream's own end rejects with `dependency_failed`: a cut answer never looks finished.
 * 3. Rejects with `dependency_failed` or `dependency_timeout`; `retryable` is false where another try cannot help.
 * 4. `stop` after no text is no answer: whoever asked is told that the model failed.
 * 5. When `signal` aborts, or the reader stops, the upstream call is torn down at once.
 */
export interface LanguageModel {
  readonly model: string;
  /** Prompt and answer together. */
  readonly contextTokensMax: number;
  /** It quotes the request's sources and follows no instructions: its brackets are citations of them, or text of theirs. */
  readonly quotesOnly?: true | undefined;
  stream(request: GenerateRequest, options: CallOptions): AsyncIterable<GenerateDelta>;
  /** Loads what answering needs; otherwise the first `stream` does. */
  warm?(options: CallOptions): Promise<void>;
  /** What keeps it from answering now, for the readiness check; null: nothing. */
  missing?(): string | null;
  close?(): Promise<void>;
}
