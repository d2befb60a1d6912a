import { RaglineError } from "../../errors.ts";
import type { GenerateDelta } from "../../ports/language-model.ts";
import type { LlamaOutcome } from "./protocol.ts";

/** One answer on its way from the model's process to its one reader. */
export class LlamaCall {
  /** Resolves when the process is done with it, so that its sequence is free. */
  readonly over: Promise<void>;
  readonly #cancel: () => void;
  readonly #resolveOver: () => void;
  #texts: string[] = [];
  #outcome: LlamaOutcome | null = null;
  #failure: unknown;
  #isFailed = false;
  #wake: (() => void) | null = null;

  constructor(cancel: () => void) {
    const over = Promise.withResolvers<void>();
    this.over = over.promise;
    this.#resolveOver = over.resolve;
    this.#cancel = cancel;
  }

  onText(text: string): void {
    this.#texts.push(text);
    this.#wake?.();
  }

  onOutcome(outcome: LlamaOutcome): void {
    this.#outcome = outcome;
    this.#resolveOver();
    this.#wake?.();
  }

  /** The process is gone. */
  broken(error: RaglineError): void {
    this.#fail(error);
    this.#resolveOver();
  }

  /** What arrives together leaves together. A reader who stops, and a signal that aborts, cancel the call. */
  async *deltas(signal: AbortSignal): AsyncGenerator<GenerateDelta, void, undefined> {
    const onAbort = () => this.#fail(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      for (;;) {
        if (this.#isFailed) throw this.#failure;
        if (this.#texts.length > 0) {
          const text = this.#texts.join("");
          this.#texts = [];
          yield { type: "text", text };
        } else if (this.#outcome) {
          yield endOf(this.#outcome);
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (!this.#outcome) this.#cancel();
    }
  }

  #fail(failure: unknown): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#failure = failure;
    this.#wake?.();
  }
}

function endOf(outcome: LlamaOutcome): GenerateDelta {
  switch (outcome.type) {
    case "end":
      return outcome;
    case "too-large": {
      const message = `The prompt has ${outcome.promptTokens} tokens, which leaves no room in the model's context (generate.contextTokensMax).`;
      throw new RaglineError("prompt_too_large", message);
    }
    case "failed":
      throw new RaglineError("dependency_failed", "The model failed.", { cause: new Error(outcome.reason) });
    case "cancelled":
      throw new RaglineError("cancelled", "The caller left.");
  }
}
