import { callsSent } from "../calls-sent.ts";
import { RaglineError } from "../errors.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../ports/language-model.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import type { Run } from "../run.ts";
import { beginning } from "../text/beginning.ts";
import type { CallOptions, Usage } from "../types.ts";
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
class CheckedText {
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
class LearnedCounts {
  readonly #counter: TokenCounter;
  #formatTokens = 0;
  #tell: ((tokens: number) => void) | null | undefined;

  constructor(counter: TokenCounter) {
    this.#counter = counter;
  }

  /** Counts the prompt while the model reads it. */
  async compare({ messages }: GenerateRequest): Promise<void> {
    await callsSent();
    this.#formatTokens = messages.length * MESSAGE_TOKENS + REPLY_TOKENS;
    this.#tell = this.#counter.compare?.(messages.map(({ content }) => content));
  }

  readonly learn = (usage: Usage | undefined): void => {
    if (usage) this.#tell?.(usage.promptTokens - this.#formatTokens);
  };
}

export interface Generation {
  /** Of which each is to be shown to `checked` first. */
  readonly deltas: AsyncIterable<GenerateDelta>;
  readonly checked: CheckedText;
  /** To be told what the model says that it read. */
  readonly learn: (usage: Usage | undefined) => void;
}

/** Step 8. The request is held until its stream has begun: the answer may be written for minutes, beside thousands of others. */
export function generate({ model, counter, settings }: Stages, request: GenerateRequest, run: Run): Generation {
  const counts = new LearnedCounts(counter);
  const open = (call: CallOptions) => {
    // It learns for later prompts: what fails there is no failure of this answer.
    counts.compare(request).catch(() => undefined);
    return model.stream(request, call);
  };
  const deltas = run.stream("generate", open, settings.generateLimits);
  return { deltas, checked: new CheckedText(request, model), learn: counts.learn };
}
