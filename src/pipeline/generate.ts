import { RaglineError } from "../errors.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../ports/language-model.ts";
import type { Usage } from "../types.ts";
import { MESSAGE_TOKENS, REPLY_TOKENS } from "./budget.ts";
import { CitationFilter } from "./citations.ts";
import { OutsideCode, type TextFilter } from "./outside-code.ts";
import type { Stages } from "./stages.ts";

/** No text that anybody reads has longer tokens: a model that says more does not keep to its limit. */
const CHARACTERS_PER_TOKEN_MAX = 20;

/**
 * Step 8: what may be shown of the model's deltas. Every citation is checked against the passages that the prompt quotes, but for models
 * that say nothing of their own. A model that goes on long after `maxOutputTokens` is cut; one that ends as if it had answered,
 * without a word, has failed. Called once a token.
 */
export class CheckedText {
  readonly #citations: TextFilter | null;
  #charactersLeft: number;
  #isBlank = true;

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
    this.#isBlank &&= text.trim() === "";
    if (this.#isBlank && delta.type === "end" && delta.finishReason === "stop") {
      throw new RaglineError("dependency_failed", "The model ended without a word.", { step: "generate" });
    }
    return text;
  }

  #clear(delta: GenerateDelta): string {
    if (delta.type === "end") return this.#citations?.end() ?? "";
    this.#charactersLeft -= delta.text.length;
    if (this.tooLong || delta.type === "reasoning") return "";
    return this.#citations ? this.#citations.push(delta.text) : delta.text;
  }
}

/** Counting learns from what the endpoint counted. */
export function learnCounts({ counter }: Stages, { messages }: GenerateRequest, usage: Usage | undefined): void {
  if (!usage) return;
  const texts = messages.map(({ content }) => content);
  counter.report?.(texts, usage.promptTokens - texts.length * MESSAGE_TOKENS - REPLY_TOKENS);
}
