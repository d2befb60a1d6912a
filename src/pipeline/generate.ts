import { RaglineError } from "../errors.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../ports/language-model.ts";
import { beginning } from "../text/beginning.ts";
import type { Usage } from "../types.ts";
import { MESSAGE_TOKENS, REPLY_TOKENS } from "./budget.ts";
import { CitationFilter } from "./citations.ts";
import { OutsideCode, type TextFilter } from "./outside-code.ts";
import type { Stages } from "./stages.ts";

/** No text that anybody reads has longer tokens: a model that says more does not keep to its limit. */
const CHARACTERS_PER_TOKEN_MAX = 20;

/**
 * Step 8: what may be shown of the model's deltas. Every citation is checked against the passages that the prompt quotes, but for models
 * that say nothing of their own. White space before the first word waits for it. A model that goes on long after `maxOutputTokens` is
 * cut; one that ends without a word, whatever it says of its end, has failed. Called once a token.
 */
export class CheckedText {
  readonly #citations: TextFilter | null;
  #charactersLeft: number;
  /** White space so far; null once something was said. */
  #blank: string | null = "";

  constructor({ sources, maxOutputTokens }: GenerateRequest, { quotesOnly }: LanguageModel) {
    this.#citations = quotesOnly ? null : new OutsideCode(new CitationFilter(sources.length));
    this.#charactersLeft = maxOutputTokens * CHARACTERS_PER_TOKEN_MAX;
  }

  /** Whether the model has said more than it may. */
  get tooLong(): boolean {
    return this.#charactersLeft < 0;
  }

  /**
   * The text that is clear now; the last delta clears what was held back.
   * @throws RaglineError `dependency_failed`: that was the end, and nothing was said.
   */
  take(delta: GenerateDelta): string {
    const text = this.#clear(delta);
    if (this.#blank === null) return text;
    const all = this.#blank + text;
    const isBlank = text.trim() === "";
    if (isBlank && (delta.type === "end" || this.tooLong)) throw withoutWord(delta);
    this.#blank = isBlank ? all : null;
    return isBlank ? "" : all;
  }

  #clear(delta: GenerateDelta): string {
    if (delta.type === "end") return this.#citations?.end() ?? "";
    const left = this.#charactersLeft;
    this.#charactersLeft -= delta.text.length;
    if (delta.type === "reasoning") return "";
    const text = beginning(delta.text, left);
    if (!this.#citations) return text;
    return this.#citations.push(text) + (this.tooLong ? this.#citations.end() : "");
  }
}

/** A filter would withhold the next answer too. */
function withoutWord(last: GenerateDelta): RaglineError {
  const step = "generate";
  if (last.type === "end" && last.finishReason === "content_filter") {
    const message = "The model's content filter withheld the answer.";
    return new RaglineError("dependency_failed", message, { step, retryable: false });
  }
  const isUsedUp = last.type !== "end" || last.finishReason === "length";
  const message = isUsedUp
    ? "The model used up its output (prompt.expectedOutputTokens) without a word of an answer."
    : "The model ended without a word.";
  return new RaglineError("dependency_failed", message, { step });
}

/** Counting learns from what the endpoint counted. */
export function learnCounts({ counter }: Stages, { messages }: GenerateRequest, usage: Usage | undefined): void {
  if (!usage) return;
  const texts = messages.map(({ content }) => content);
  counter.report?.(texts, usage.promptTokens - texts.length * MESSAGE_TOKENS - REPLY_TOKENS);
}
