import { RaglineError } from "./errors.ts";

/** One answer under way: the signal for its work, and the calls that mark its beginning and end. */
export interface Answering {
  /** Aborts when the caller's does, and when everything under way is ended. */
  readonly signal: AbortSignal;
  /** Until it is over, the caller's signal is listened to. */
  begin(): void;
  over(): void;
}

/** The answers under way, so that closing can end them. */
export class UnderWay {
  readonly #answers = new Set<AbortController>();
  #end: RaglineError | undefined;
  #onNone: (() => void) | undefined;

  answering({ signal: caller }: { readonly signal?: AbortSignal }): Answering {
    const controller = new AbortController();
    const onAbort = () => controller.abort(caller?.reason);
    return {
      signal: controller.signal,
      begin: () => {
        this.#answers.add(controller);
        if (this.#end) controller.abort(this.#end);
        if (caller?.aborted) onAbort();
        caller?.addEventListener("abort", onAbort);
      },
      over: () => {
        caller?.removeEventListener("abort", onAbort);
        this.#answers.delete(controller);
        if (this.#answers.size === 0) this.#onNone?.();
      },
    };
  }

  /** Ends all answers with `cancelled`; resolves when they are over, or after this time. An answer begun later ends at once. */
  async end(message: string, timeoutMs: number): Promise<void> {
    this.#end = new RaglineError("cancelled", message);
    for (const controller of this.#answers) controller.abort(this.#end);
    if (this.#answers.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onNone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
