import { RaglineError } from "../errors.ts";

declare module "fastify" {
  interface FastifyInstance {
    readonly answers: RunningAnswers;
  }
}

/** What a server is at work on, so that it can be told to stop with a word to each client. */
export class RunningAnswers {
  readonly #controllers = new Set<AbortController>();

  /** @returns call it when the answer is over. */
  add(controller: AbortController): () => void {
    this.#controllers.add(controller);
    return () => this.#controllers.delete(controller);
  }

  /** Ends every running answer with `cancelled`: as an event where it has begun, else as an error response. */
  stop(): void {
    for (const controller of this.#controllers) {
      controller.abort(new RaglineError("cancelled", "The server is stopping; ask again."));
    }
  }
}
